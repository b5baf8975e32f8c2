// SPDX-License-Identifier: Apache-2.0
// The machine, as QEMU's arguments.
import { accessSync, constants } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { say } from '../steps.mjs'

const INIT = fileURLToPath(new URL('guest-init.sh', import.meta.url))

/** The descriptors that QEMU gets for the guest's ports, in the order of the port numbers 1, 2, 3. */
export const PORTS = ['stdout', 'stderr', 'control']
export const FIRST_PORT_FD = 3

/**
 * @typedef {object} Machine
 * @property {string} image a bzImage
 * @property {number} memory MiB
 * @property {number} pfs NVMe controllers
 * @property {number} vfs virtual functions that each of them lends; 0: no controller
 * @property {'remapping' | 'no-remapping' | 'none'} iommu
 * @property {string} consoleLog where the kernel's console goes
 * @property {string} jobDirectory
 * @property {string[]} writable directories of the host that the guest may write
 */

/** Without interrupt remapping the kernel refuses to let a process own a PCI function. */
const IOMMU = {
  remapping: ['-device', 'intel-iommu,intremap=on,aw-bits=48'],
  'no-remapping': ['-device', 'intel-iommu,intremap=off,aw-bits=48'],
  none: [],
}

function accelerator() {
  const asked = process.env.VFIO_MIGRATE_ACCEL === 'kvm'
  if (!asked) return { accel: 'tcg,thread=multi', machine: 'q35' }
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return { accel: 'kvm', machine: 'q35,kernel-irqchip=split' }
  } catch {
    say('VFIO_MIGRATE_ACCEL=kvm: /dev/kvm cannot be used, so the guest is emulated')
    return { accel: 'tcg,thread=multi', machine: 'q35' }
  }
}

/** @param {string} value QEMU's options separate by a comma, doubled inside of a value */
const quoted = value => value.replaceAll(',', ',,')

/** @param {string} path @param {string} tag @param {string} [more] */
const share = (path, tag, more = '') => [
  '-virtfs',
  `local,path=${quoted(path)},mount_tag=${tag},security_model=none,multidevs=remap${more}`,
]

/**
 * The counts follow from QEMU's rules: two queues and one interrupt a function, two queues for the controller.
 * @param {number} vfs
 * @param {number} index
 */
function controller(vfs, index) {
  if (vfs === 0) return []
  const resources = `sriov_max_vfs=${vfs},sriov_vq_flexible=${2 * vfs},sriov_vi_flexible=${vfs}`
  const queues = `max_ioqpairs=${2 * vfs + 2},msix_qsize=${2 * vfs + 3}`
  return [
    ...['-device', `pcie-root-port,id=rp${index},chassis=${index + 1},slot=${index + 1}`],
    ...['-device', `nvme-subsys,id=ss${index}`],
    ...[
      '-device',
      `nvme,serial=vfio-migrate-${index},subsys=ss${index},bus=rp${index},${resources},${queues}`,
    ],
  ]
}

/** @param {string} name @param {number} index */
const port = (name, index) => [
  ...['-chardev', `socket,id=${name},fd=${FIRST_PORT_FD + index}`],
  ...['-device', `virtserialport,chardev=${name},nr=${index + 1}`],
]

const KERNEL_ARGUMENTS = [
  'console=ttyS0',
  'loglevel=5',
  'printk.devkmsg=on',
  'root=root',
  'rootfstype=9p',
  'rootflags=trans=virtio,version=9p2000.L,msize=512000,cache=loose',
  'ro',
  `init="${INIT}"`,
  'panic=-1',
  // An emulated machine on a busy host is slow, not broken.
  'tsc=reliable',
  'rcupdate.rcu_cpu_stall_timeout=60',
]

/** @param {Machine} machine @returns {string[]} */
export function qemuArguments(machine) {
  const { accel, machine: board } = accelerator()
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', board, '-accel', accel, '-cpu', 'max', '-smp', '2', '-m', String(machine.memory)],
    ...['-kernel', machine.image, '-append', KERNEL_ARGUMENTS.join(' ')],
    ...['-chardev', `file,id=console,path=${quoted(machine.consoleLog)}`, '-serial', 'chardev:console'],
    ...IOMMU[machine.iommu],
    ...['-device', 'virtio-rng-pci'],
    ...share('/', 'root', ',readonly=on'),
    ...share(machine.jobDirectory, 'job'),
    ...machine.writable.flatMap((path, index) => share(path, `writable${index}`)),
    ...['-device', 'virtio-serial-pci'],
    ...PORTS.flatMap(port),
    ...Array.from({ length: machine.pfs }, (_, index) => controller(machine.vfs, index)).flat(),
  ]
}
