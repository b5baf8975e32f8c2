// SPDX-License-Identifier: Apache-2.0
import type { KernelFacts, Rooted } from './facts.ts'
import { attribute, booleanAttribute, entries } from './sysfs.ts'

/** What the running kernel offers for VFIO, as far as it can be seen without opening a node. */
export async function kernelFacts(options: Rooted = {}): Promise<KernelFacts> {
  return {
    release: (await attribute('/proc/sys/kernel/osrelease', options)) ?? '',
    iommufd: (await entries('/dev', options)).includes('iommu'),
    container: (await entries('/dev/vfio', options)).includes('vfio'),
    unsafeNoiommu: await booleanAttribute('/sys/module/vfio/parameters/enable_unsafe_noiommu_mode', options),
    unsafeInterrupts: {
      iommufd: await booleanAttribute('/sys/module/iommufd/parameters/allow_unsafe_interrupts', options),
      type1: await booleanAttribute(
        '/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts',
        options,
      ),
    },
    interruptRemapping: await interruptRemapping(options),
  }
}

/** On x86 the kernel puts `IR-` before the name of an interrupt chip whose interrupts are remapped. */
async function interruptRemapping(options: Rooted): Promise<boolean | undefined> {
  const text = (await attribute('/proc/interrupts', options)) ?? ''
  if (/\bIR-(?:IO-APIC|PCI-MSI)/.test(text)) return true
  return /\bIO-APIC|\bPCI-MSI/.test(text) && !/\bGIC/.test(text) ? false : undefined
}

/** True when the kernel `release` is of an older series than `since`; two numbers count, as in `6.12`. */
export function isOlderThan(release: string, since: string): boolean {
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number)
  const [sinceMajor = 0, sinceMinor = 0] = since.split('.').map(Number)
  return major < sinceMajor || (major === sinceMajor && minor < sinceMinor)
}
