// SPDX-License-Identifier: Apache-2.0
import { PreflightError, type Finding } from '../index.ts'

/** What the library's options are called on the command line, where a remedy names one. */
const optionNames: Readonly<Record<string, string>> = {
  noP2pDma: '--no-p2p-dma',
  perPfLimit: '--per-pf-limit',
}

/** What to do about it, in the words of the command line. */
export function remedyWords({ remedy }: Finding): string {
  return remedy.replaceAll(/\b(noP2pDma|perPfLimit)\b/g, name => optionNames[name] ?? name)
}

/** The same refusal, in the words of the command line. */
export function asRefusedHere({ findings, device }: PreflightError): PreflightError {
  const refusals = findings.filter(({ level, overridden }) => level === 'refuse' && !overridden)
  const [only, ...others] = refusals.map(refusalWords)
  const list = [only, ...others].map(line => `\n- ${line}`).join('')
  const text = `The migration was refused for ${refusals.length} reasons; nothing was touched.${list}`
  return new PreflightError(others.length === 0 && only !== undefined ? only : text, findings, device)
}

function refusalWords(finding: Finding): string {
  const { id, cause, overridable } = finding
  const override = overridable ? `Where it is meant so, say --override ${id}.` : ''
  return [`Refused (${id}): ${cause}`, remedyWords(finding), override].filter(Boolean).join(' ')
}
