// JUnit XML of a run, for those who collect it.
import type { CaseResult, SuiteResult } from '../suite.ts'

/** The whole run as a document. */
export function junitXml(results: readonly SuiteResult[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${results.map(suiteXml).join('')}</testsuites>\n`
}

function suiteXml({ suite, subject, cases, ms }: SuiteResult): string {
  const failures = cases.filter(({ failure }) => failure !== undefined).length
  const head = `name="${escaped(`${suite} (${subject})`)}" tests="${cases.length}" failures="${failures}" skipped="0" time="${seconds(ms)}"`
  return ` <testsuite ${head}>\n${cases.map(caseXml).join('')} </testsuite>\n`
}

function caseXml({ group, name, ms, failure }: CaseResult): string {
  const head = `  <testcase classname="${escaped(group)}" name="${escaped(name)}" time="${seconds(ms)}"`
  if (failure === undefined) return `${head}/>\n`
  const { reason, frames } = failure
  const body = frames === undefined ? reason : `${reason}\n\n${frames}`
  return `${head}>\n   <failure message="${escaped(reason.split('\n')[0]!)}">${escaped(body)}</failure>\n  </testcase>\n`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

/** What XML 1.0 cannot carry is shown as an escape. */
function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"]/g, (char) => ENTITIES[char]!)
    .replaceAll(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
      /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g,
      (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
}
