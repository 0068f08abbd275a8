// The frames that a program under test saw, in a file that it appends to.
import { appendFileSync, readFileSync, statSync } from 'node:fs'

const MAX_CHARS = 32 * 1024

/** The reader's side: what was added since when. */
export class TraceFile {
  public readonly path: string

  public constructor(path: string) {
    this.path = path
  }

  /** How much there is now, for {@link TraceFile.since}. */
  public mark(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
  }

  /** What was added after `mark`; a long one is shortened in the middle. */
  public since(mark: number): string {
    if (this.mark() <= mark) return ''
    const text = readFileSync(this.path).subarray(mark).toString()
    if (text.length <= MAX_CHARS) return text
    return `${text.slice(0, MAX_CHARS / 2)}\n…\n${text.slice(-MAX_CHARS / 2)}`
  }
}

/** The program's side: a printer of lines for one connection, numbered in the order of their coming. */
export function traceLines(path: string): () => (line: string) => void {
  let connections = 0
  return () => {
    const number = ++connections
    return (line) => appendFileSync(path, `#${number} ${line}\n`)
  }
}
