// SPDX-License-Identifier: Apache-2.0
// The kernel's own mlx5_vfio_pci on a simulated firmware, test/kernel/firmware, bound to the guest's virtual functions.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, readlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { openDevice, type Device, type OpenOptions } from '#lib/index.js'
import { BottledFunction, setKnob, type Knobs } from './bottled.ts'
import { virtualFunctions } from './vf.ts'

const run = promisify(execFile)

/** What a physical function's firmware can do: the first three where nothing is said. */
export interface Capabilities {
  readonly migration?: boolean
  readonly migration_multi_load?: boolean
  readonly migration_tracking_state?: boolean
  readonly migration_in_chunks?: boolean
  readonly migration_state?: boolean
  /** It logs the DMA of its functions. */
  readonly adv_virtualization?: boolean
}

export interface BottleOptions extends Knobs {
  /** How many virtual functions get the driver. */
  readonly functions?: number
  readonly capabilities?: Capabilities
  /** Of each virtual function. */
  readonly migratable?: boolean
}

/** The modules, loaded, and virtual functions, bound; both no more when it is disposed of. */
export interface Bottle extends AsyncDisposable {
  /** Of different physical functions in turn. */
  readonly functions: readonly BottledFunction[]
  /** Takes the physical functions away from their virtual ones, as their driver does when it goes; or gives them back. */
  attach(isAttached: boolean): Promise<void>
  /** Of all functions: before devices are closed, which would wait for what is held. */
  takeBackFaults(): Promise<void>
  /** What the driver has of the firmware. */
  objects(): Promise<{ readonly pds: number; readonly mkeys: number }>
}

const debugfs = '/sys/kernel/debug/vfio_migrate_firmware'
const sysfs = '/sys/bus/pci/devices'

/** Loads the modules and binds mlx5_vfio_pci to virtual functions, two where nothing else is said. */
export async function openBottle(options: BottleOptions = {}): Promise<Bottle> {
  const { functions: count = 2, capabilities = {}, migratable = true, ...knobs } = options
  await load()
  const functions = (await inTurn()).slice(0, count)
  if (functions.length < count) throw new Error(`the guest has ${functions.length} virtual functions`)
  const pfs = [...new Set(functions.map(({ pf }) => pf))]
  for (const pf of pfs) await setCapabilities(pf, capabilities)
  for (const bottled of functions) {
    await setKnob(bottled.address, 'migratable', migratable ? 'Y' : 'N')
    await bottled.set(knobs)
    await bind(bottled.address)
  }
  const takeBackFaults = async (): Promise<void> => {
    for (const bottled of functions) await bottled.takeBackFaults()
  }
  return {
    functions,
    async attach(isAttached) {
      for (const pf of pfs) await setKnob(pf, 'attached', isAttached ? '1' : '0')
    },
    async objects() {
      const [pds, mkeys] = (await readFile(join(debugfs, 'objects'), 'utf8')).split(' ')
      return { pds: Number(pds), mkeys: Number(mkeys) }
    },
    takeBackFaults,
    async [Symbol.asyncDispose]() {
      await takeBackFaults()
      for (const { address } of functions) await unbind(address)
      await unload()
    },
  }
}

/** Two bottled functions and their devices. */
export interface BottledPair extends AsyncDisposable {
  readonly bottle: Bottle
  readonly from: BottledFunction
  readonly to: BottledFunction
  readonly source: Device
  readonly destination: Device
}

/** A device to be moved, and one of the same size to move it into; both open. */
export async function openBottledPair(
  options: BottleOptions = {},
  how: OpenOptions = {},
): Promise<BottledPair> {
  const bottle = await openBottle(options)
  const [from, to] = bottle.functions as [BottledFunction, BottledFunction]
  const source = await openDevice(from.address, how)
  const destination = await openDevice(to.address, how)
  return {
    bottle,
    from,
    to,
    source,
    destination,
    async [Symbol.asyncDispose]() {
      await bottle.takeBackFaults()
      await source.close()
      await destination.close()
      await bottle[Symbol.asyncDispose]()
    },
  }
}

async function load(): Promise<void> {
  const directory = process.env.VFIO_MIGRATE_KERNEL_MODULES
  if (directory === undefined)
    throw new Error('VFIO_MIGRATE_KERNEL_MODULES is not set: no modules for this kernel')
  for (const name of ['vfio_migrate_firmware', 'mlx5-vfio-pci'])
    await run('insmod', [join(directory, `${name}.ko`)])
}

async function unload(): Promise<void> {
  await run('rmmod', ['mlx5_vfio_pci', 'vfio_migrate_firmware'])
}

/** The first of each physical function, then the second of each. */
async function inTurn(): Promise<BottledFunction[]> {
  const all = await Promise.all(
    virtualFunctions().map(async address => {
      const pf = basename(await readlink(join(sysfs, address, 'physfn')))
      return new BottledFunction(address, pf)
    }),
  )
  const rank = (one: BottledFunction): number => all.filter(({ pf }) => pf === one.pf).indexOf(one)
  return all.sort((one, other) => rank(one) - rank(other))
}

async function setCapabilities(pf: string, capabilities: Capabilities): Promise<void> {
  for (const [name, isThere] of Object.entries(capabilities) as [string, boolean][])
    await setKnob(pf, name, isThere ? 'Y' : 'N')
}

async function bind(address: string): Promise<void> {
  await writeFile(join(sysfs, address, 'driver_override'), 'mlx5_vfio_pci')
  await writeFile('/sys/bus/pci/drivers_probe', address)
}

async function unbind(address: string): Promise<void> {
  const driver = join(sysfs, address, 'driver')
  if (existsSync(driver)) await writeFile(join(driver, 'unbind'), address)
  await writeFile(join(sysfs, address, 'driver_override'), '\n')
}
