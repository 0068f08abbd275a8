// What both programs do alike: flags, help, faults and traces.
import { appendFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Peer, type TraceSink, traceFrames } from '../../lib/transport/index.ts'
import { describeFlags, FlagError, type Flags, type FlagTable, parseFlags } from './flags.ts'

/** A program by its flags. `run` gives the exit status; what it throws is told, with status 1. */
export interface Program<Table extends FlagTable> {
  readonly help: string
  readonly flags: Table
  run(flags: Flags<Table>): Promise<number>
}

/** Runs a program with the arguments of this process. A wrong flag is status 2, as in Go. */
export async function runProgram<Table extends FlagTable>(program: Program<Table>): Promise<void> {
  const args = process.argv.slice(2)
  if (args.some((arg) => /^--?h(elp)?$/.test(arg))) {
    process.stdout.write(`${program.help}\n${describeFlags(program.flags)}`)
    return
  }
  try {
    process.exitCode = await program.run(parseFlags(program.flags, args))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = error instanceof FlagError ? 2 : 1
  }
}

/** A line on stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** A file that was installed beside the sources of the programs, such as `certs/ca.pem`. */
export function ownFile(name: string): string {
  // The compiled program lies in dist, the file in the source tree.
  return fileURLToPath(new URL(`../../../spec/interop-programs/${name}`, import.meta.url))
}

/** Appends each frame of each connection to `file` as a line; nothing for ''. */
export function traceTo(file: string): { trace?: (peer: Peer) => TraceSink } {
  if (file === '') return {}
  let connections = 0
  return {
    trace: ({ address }) => {
      const name = `#${++connections} ${address}`
      return traceFrames((line) => appendFileSync(file, `${name} ${line}\n`))
    },
  }
}
