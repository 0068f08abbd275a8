// Reads what h2spec and h2specd print: a tree of sections and cases, then the sum.

/** A case of the tree. */
export interface H2specCase {
  /** As h2spec takes it for an argument, such as `http2/6.9.1/2`. */
  readonly id: string
  readonly title: string
  readonly passed: boolean
  /** What was expected and what came, when it did not pass. */
  readonly reason: string
}

/** The roots of the tree, and how ids begin below them. */
const ROOTS: Readonly<Record<string, string>> = {
  'Generic tests for HTTP/2 server': 'generic',
  'Hypertext Transfer Protocol Version 2 (HTTP/2)': 'http2',
  'HPACK: Header Compression for HTTP/2': 'hpack',
  'Generic tests for HTTP/2 client': 'client',
}

const SECTION = /^(\d+(?:\.\d+)*)\. /
/** Without a mark it was skipped. */
const CASE = /^(?:(\S) )?(\d+): (.*)$/
const SUM = /^(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed$/m

/** Cases in the order of their running. Throws when the sum is missing or is not theirs. */
export function readH2specOutput(output: string): H2specCase[] {
  const [tree] = output.split('\nFailures: ')
  const cases: H2specCase[] = []
  let root = ''
  let section = ''
  for (const printed of tree!.split('\n')) {
    const line = printed.slice(printed.lastIndexOf('\r') + 1).trim() // a case is written over itself
    const found = CASE.exec(line)
    if (ROOTS[line] !== undefined) root = ROOTS[line]
    else if (found !== null) cases.push(caseOf(`${root}/${section}`, found))
    else if (SECTION.test(line)) section = SECTION.exec(line)![1]!
    else if (line !== '') addReason(cases, printed)
  }
  checkSum(output, cases)
  return cases
}

function caseOf(
  section: string,
  [, mark, number, title]: readonly (string | undefined)[],
): H2specCase {
  return { id: `${section}/${number}`, title: title!, passed: mark === '✔', reason: '' }
}

/** Lines below a case that did not pass belong to it. */
function addReason(cases: H2specCase[], line: string): void {
  const last = cases.at(-1)
  if (last === undefined || last.passed) return
  cases[cases.length - 1] = { ...last, reason: `${last.reason}${line.trim()}\n` }
}

/** A case that is skipped counts as one that did not pass. */
function checkSum(output: string, cases: readonly H2specCase[]): void {
  const sum = SUM.exec(output)
  if (sum === null) throw new Error(`no sum in the output:\n${output.slice(-2_000)}`)
  const [all, passed] = [Number(sum[1]), Number(sum[2])]
  const read = cases.filter((one) => one.passed).length
  if (all !== cases.length || passed !== read) {
    throw new Error(`the sum is ${sum[0]}; the tree has ${cases.length} cases, ${read} passed`)
  }
}
