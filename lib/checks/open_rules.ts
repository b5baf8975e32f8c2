// SPDX-License-Identifier: Apache-2.0
import type { OpenStep } from '../backend/seam.ts'
import type { DeviceFacts, FunctionFacts, HostFacts } from '../host/facts.ts'
import { driverManners } from '../kernel/drivers.ts'
import { errnoName, errnoText, type ErrnoName } from '../kernel/errno.ts'
import { bindRemedy } from './binding.ts'
import { releaseRemedy, whoHoldsIt } from './holders.ts'
import { permissionCause, permissionRemedy } from './permission.ts'
import type { Rule } from './rule.ts'
import type { OpenTry } from './try.ts'

/** A device that there is no way into: no call was made on it, or none that mattered. */
export interface ClosedSubject {
  readonly device: DeviceFacts
  readonly host: HostFacts
}

/** One way in that failed. */
export interface OpenSubject extends ClosedSubject {
  readonly attempt: OpenTry
}

/** Why a device cannot be opened at all. */
export const closedRules: readonly Rule<ClosedSubject>[] = [
  {
    id: 'no-iommu',
    applies: ({ device, host }) =>
      !device.vfio &&
      device.kind === 'pci' &&
      device.iommuGroup === undefined &&
      host.kernel.unsafeNoiommu !== true,
    cause: ({ device }) =>
      `${device.name} is in no IOMMU group, so no VFIO driver binds it: the IOMMU is off or missing.`,
    remedy: () =>
      'Turn it on: VT-d or AMD-Vi in the firmware, intel_iommu=on on the kernel command line. ' +
      'For tests only: echo Y > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode.',
  },
  {
    id: 'no-driver',
    applies: ({ device }) => device.driver === undefined,
    cause: ({ device }) => `${device.name} is bound to no driver, so VFIO does not offer it.`,
    remedy: ({ device }) => bindRemedy(device),
  },
  {
    id: 'other-driver',
    applies: ({ device }) => !device.vfio,
    cause: ({ device }) => `${device.name} is bound to ${device.driver}, which is no VFIO driver.`,
    remedy: ({ device }) => bindRemedy(device),
  },
  {
    id: 'no-iommufd',
    applies: ({ device, host }) => device.cdev !== undefined && !host.kernel.iommufd,
    cause: ({ device }) => `${device.cdev?.node} is of no use without /dev/iommu, which is missing.`,
    remedy: () => 'Load it: modprobe iommufd. In a container, give it /dev/iommu too.',
  },
  {
    id: 'no-node',
    applies: () => true,
    cause: ({ device }) => `${device.name} is under VFIO, and the kernel offers no node for it.`,
    remedy: () => 'The kernel needs CONFIG_VFIO_DEVICE_CDEV with CONFIG_IOMMUFD, or CONFIG_VFIO_GROUP.',
  },
]

/** True when the attempt failed in one of `steps` (any when empty) with one of `names`. */
function failed({ attempt }: OpenSubject, steps: readonly OpenStep[], ...names: ErrnoName[]): boolean {
  if (steps.length > 0 && !steps.includes(attempt.step)) return false
  return (names as string[]).includes(errnoName(attempt.result))
}

const opens: readonly OpenStep[] = ['open cdev', 'open iommufd', 'open group', 'open container']
const deviceOpens: readonly OpenStep[] = ['VFIO_DEVICE_BIND_IOMMUFD', 'VFIO_GROUP_GET_DEVICE_FD']
const claims: readonly OpenStep[] = ['VFIO_DEVICE_BIND_IOMMUFD', 'VFIO_GROUP_SET_CONTAINER', 'VFIO_SET_IOMMU']

/** Drivers that leave a group's DMA to whoever has the group. */
const bystanders = ['pcieport', 'pci-stub']

/** The group's other devices that a driver of the kernel uses, which keeps the group from VFIO. */
function intruders({ device, host }: ClosedSubject): FunctionFacts[] {
  return host.group.filter(
    ({ name, driver }) =>
      name !== device.name &&
      driver !== undefined &&
      !bystanders.includes(driver) &&
      driverManners(driver) === undefined &&
      !driver.includes('vfio'),
  )
}

function listed(members: readonly FunctionFacts[]): string {
  return members.map(({ name, driver }) => `${name} (${driver ?? 'no driver'})`).join(', ')
}

function unsafeInterrupts({ attempt, host }: OpenSubject): boolean | undefined {
  return host.kernel.unsafeInterrupts[attempt.via === 'cdev' ? 'iommufd' : 'type1']
}

/** Why one way into a device failed: the calls in the order of their making, the errors in the order of likelihood. */
export const openRules: readonly Rule<OpenSubject>[] = [
  {
    id: 'no-cdev',
    applies: ({ attempt, device }) => attempt.via === 'cdev' && device.cdev === undefined,
    cause: ({ device }) => `${device.name} has no node of its own in /dev/vfio/devices.`,
    remedy: ({ device }) =>
      device.noiommu
        ? 'The kernel makes none without an IOMMU: open it by its group.'
        : 'Open it by its group, or run a kernel with CONFIG_VFIO_DEVICE_CDEV (Linux 6.6 and newer).',
  },
  {
    id: 'no-group',
    applies: ({ attempt, device }) => attempt.via === 'group' && device.groupNode === undefined,
    cause: ({ device }) => `${device.name} has no group in /dev/vfio.`,
    remedy: () => 'Open it by its own node, or run a kernel with CONFIG_VFIO_GROUP.',
  },
  {
    id: 'node-missing',
    applies: subject => failed(subject, ['open cdev', 'open group'], 'ENOENT'),
    cause: ({ attempt }) =>
      `The kernel offers ${attempt.path}, and /dev lacks it: no udev runs here, or a container was not given it.`,
    remedy: ({ attempt, device }) =>
      attempt.via === 'cdev' && device.cdev !== undefined
        ? `Give it to the container, or make it: mknod ${attempt.path} c ${device.cdev.dev.replace(':', ' ')}.`
        : 'Give it to the container, or start udev.',
  },
  {
    id: 'iommufd-missing',
    applies: subject => failed(subject, ['open iommufd'], 'ENOENT', 'ENODEV', 'ENXIO'),
    cause: ({ attempt }) => `${attempt.path} is missing or dead.`,
    remedy: () => 'Load it: modprobe iommufd. The kernel needs CONFIG_IOMMUFD.',
  },
  {
    id: 'container-missing',
    applies: subject => failed(subject, ['open container'], 'ENOENT', 'ENODEV', 'ENXIO'),
    cause: ({ attempt }) => `${attempt.path} is missing or dead.`,
    remedy: () => 'Load it: modprobe vfio. The kernel needs CONFIG_VFIO_CONTAINER.',
  },
  {
    id: 'device-gone',
    applies: subject => failed(subject, ['open cdev', 'open group'], 'ENODEV', 'ENXIO'),
    cause: ({ attempt }) =>
      `${attempt.path} has no device behind it: its driver is being unbound, or the node is an old one.`,
    remedy: () => 'Look again with: vfio-migrate list.',
  },
  {
    id: 'node-permission',
    applies: subject => failed(subject, opens, 'EACCES'),
    cause: ({ attempt, host }) => permissionCause(attempt.path, host),
    remedy: ({ attempt, host }) => permissionRemedy(attempt.path, host),
  },
  {
    id: 'noiommu-privilege',
    applies: subject => subject.device.noiommu && failed(subject, [], 'EPERM'),
    cause: ({ device }) => `${device.name} has no IOMMU, and opening such a group takes CAP_SYS_RAWIO.`,
    remedy: () => 'Run as root. The device can then write to all memory: use noiommu for tests only.',
  },
  {
    id: 'device-cgroup',
    applies: subject => failed(subject, opens, 'EPERM'),
    cause: ({ attempt }) => `${attempt.path} is forbidden by the device cgroup, as in a container.`,
    remedy: ({ attempt }) => `Allow it, for instance with: docker run --device ${attempt.path}.`,
  },
  {
    id: 'group-busy',
    applies: subject => failed(subject, ['open group'], 'EBUSY'),
    cause: ({ attempt, host }) =>
      `${attempt.path} is open elsewhere, or a device of the group is by its own node. ${whoHoldsIt(host)}`,
    remedy: ({ attempt, host }) => releaseRemedy(host, attempt.path),
  },
  {
    id: 'group-in-use',
    applies: subject => failed(subject, ['VFIO_DEVICE_BIND_IOMMUFD'], 'EBUSY'),
    cause: ({ device, host }) => `${device.groupNode ?? 'Its group'} is open elsewhere. ${whoHoldsIt(host)}`,
    remedy: ({ attempt, device, host }) => releaseRemedy(host, device.groupNode ?? attempt.path),
  },
  {
    id: 'open-here',
    applies: subject => failed(subject, ['VFIO_GROUP_GET_DEVICE_FD'], 'EBUSY'),
    cause: ({ device }) => `${device.name} is open in this process already.`,
    remedy: () =>
      'Use that one: a device has one state machine, and two holds would drive it against each other.',
  },
  {
    id: 'group-not-viable',
    applies: subject =>
      failed(subject, ['VFIO_GROUP_GET_STATUS'], 'EPERM') ||
      (failed(subject, claims, 'EPERM', 'EBUSY') && intruders(subject).length > 0),
    cause: subject => {
      const others = intruders(subject)
      const what = `IOMMU group ${subject.device.iommuGroup} belongs to VFIO as a whole or not at all.`
      return others.length === 0
        ? `${what} Its devices: ${listed(subject.host.group)}.`
        : `${what} Other drivers use devices of it: ${listed(others)}.`
    },
    remedy: subject =>
      intruders(subject)
        .map(({ name }) => `Unbind it: echo ${name} > /sys/bus/pci/devices/${name}/driver/unbind.`)
        .join('\n') || 'Bind its devices to vfio-pci, or unbind them.',
  },
  {
    id: 'token-not-wanted',
    applies: subject => subject.attempt.token === true && failed(subject, deviceOpens, 'EINVAL'),
    cause: ({ device, attempt }) =>
      attempt.via === 'cdev'
        ? `A VF token was given, and ${device.name} needs none, or the kernel takes none by this node.`
        : `A VF token was given, and ${device.name} needs none.`,
    remedy: () => 'Leave the token out. Older kernels, such as 6.12, take one by the group only.',
  },
  {
    id: 'token-wanted',
    applies: subject => failed(subject, deviceOpens, 'EACCES'),
    cause: ({ device, attempt }) => {
      const pf = device.physfn
      const owner =
        pf === undefined
          ? 'Its virtual functions are in use'
          : `Its physical function ${pf.name} is bound to ${pf.driver}`
      return `${owner}, so ${device.name} opens only with that owner's VF token, and ${attempt.token === true ? 'another' : 'none'} was given.`
    },
    remedy: () =>
      'Give the UUID that the owner has set with VFIO_DEVICE_FEATURE_PCI_VF_TOKEN: --vf-token UUID.',
  },
  {
    id: 'device-busy',
    applies: subject => failed(subject, ['VFIO_DEVICE_BIND_IOMMUFD'], 'EINVAL'),
    cause: ({ attempt, host }) => `${attempt.path} is open elsewhere. ${whoHoldsIt(host)}`,
    remedy: ({ attempt, host }) => releaseRemedy(host, attempt.path),
  },
  {
    id: 'no-interrupt-remapping',
    applies: subject =>
      failed(subject, claims, 'EPERM') &&
      subject.host.kernel.interruptRemapping !== true &&
      unsafeInterrupts(subject) !== true,
    cause: () => 'The machine does not remap interrupts, so the device could raise any interrupt.',
    remedy: ({ attempt }) => {
      const module = attempt.via === 'cdev' ? 'iommufd' : 'vfio_iommu_type1'
      return (
        'Turn it on: VT-d or AMD-Vi in the firmware, intel_iommu=on on the kernel command line; ' +
        'in QEMU -device intel-iommu,intremap=on. ' +
        `Or, where every user of the device is trusted with the machine: echo Y > /sys/module/${module}/parameters/allow_unsafe_interrupts.`
      )
    },
  },
  {
    id: 'dma-owned',
    applies: subject => failed(subject, claims, 'EPERM', 'EBUSY'),
    cause: ({ device, host }) =>
      `The DMA of IOMMU group ${device.iommuGroup} belongs to another user. Its devices: ${listed(host.group)}. ${whoHoldsIt(host)}`,
    remedy: ({ attempt, host }) => releaseRemedy(host, attempt.path),
  },
  {
    id: 'no-iommu-backend',
    applies: subject => failed(subject, ['VFIO_SET_IOMMU'], 'ENODEV', 'EINVAL'),
    cause: () => 'The container has no IOMMU driver for this group.',
    remedy: () => 'Load it: modprobe vfio_iommu_type1.',
  },
  {
    id: 'unbound-meanwhile',
    applies: subject => failed(subject, deviceOpens, 'ENODEV'),
    cause: ({ device }) => `${device.name} left VFIO while it was being opened.`,
    remedy: () => 'Look again with: vfio-migrate list.',
  },
  {
    id: 'reset-lock',
    applies: subject => failed(subject, deviceOpens, 'EAGAIN'),
    cause: ({ device }) => `${device.name}, or a device on its bus, is being reset or opened right now.`,
    remedy: () => 'Try again in a moment.',
  },
  {
    id: 'too-many-files',
    applies: subject => failed(subject, [], 'EMFILE', 'ENFILE'),
    cause: ({ attempt, host }) =>
      errnoName(attempt.result) === 'ENFILE'
        ? 'The machine has as many files open as it may (fs.file-max).'
        : `This process has as many files open as it may: ${host.process.openFilesLimit ?? 'RLIMIT_NOFILE'}.`,
    remedy: () => 'Close some, or raise the limit: ulimit -n, LimitNOFILE= in systemd, sysctl fs.file-max.',
  },
  {
    id: 'too-many-threads',
    applies: subject => failed(subject, ['start thread'], 'EAGAIN'),
    cause: () => 'No thread could be started for the device: a limit on tasks is reached.',
    remedy: () => 'Raise it: ulimit -u, TasksMax= in systemd, pids.max of the cgroup.',
  },
  {
    id: 'no-memory',
    applies: subject => failed(subject, [], 'ENOMEM'),
    cause: () => 'The kernel had no memory for it, or the memory cgroup is full.',
    remedy: () => 'Free some, or raise memory.max of the cgroup.',
  },
  {
    id: 'other',
    applies: () => true,
    cause: ({ attempt }) => `The kernel gives no more than: ${errnoText(attempt.result)}.`,
    remedy: () => 'dmesg may say more.',
  },
]
