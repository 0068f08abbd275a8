// One run of one suite for one subject: takes the results of its cases, owns the programs that take
// part, and turns what went wrong around the cases into failures.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE } from './peers/built.ts'
import { Child, type Command } from './process/child.ts'
import { accepting, freePort } from './process/ports.ts'
import type {
  CaseResult,
  ClientProgram,
  RoleName,
  Roles,
  ServerProgram,
  Subject,
  Suite,
  SuiteOptions,
  SuiteResult,
} from './suite.ts'
import { TraceFile } from './trace-file.ts'

const READY_MS = 20_000
const CASE_MS = 30_000
/** Failures that are told of at once; all are in the result. */
const MAX_TOLD = 20
const ADDRESS_LINE = /127\.0\.0\.1:(\d+)/

/** A server that accepts connections. */
export interface RunningServer {
  readonly port: number
  readonly child: Child
}

/** See above. */
export class SuiteRun {
  public readonly full: boolean
  public readonly subject: Subject
  /** A folder for the files of this run, empty at first; it stays when something failed. */
  public readonly scratch: string
  private readonly suite: Suite
  private readonly options: SuiteOptions
  private readonly tell: (line: string) => void
  private readonly cases: CaseResult[] = []
  private readonly children: Child[] = []
  private readonly traces: TraceFile[] = []
  private failures = 0

  public constructor(
    suite: Suite,
    subject: Subject,
    options: SuiteOptions,
    tell: (line: string) => void,
  ) {
    this.suite = suite
    this.subject = subject
    this.options = options
    this.full = options.full
    this.tell = tell
    const runs = join(CACHE, 'run')
    mkdirSync(runs, { recursive: true })
    this.scratch = mkdtempSync(join(runs, `${suite.name}-`))
  }

  /** Runs the suite to its end, whatever happens in it. */
  public async execute(): Promise<SuiteResult> {
    const startMs = performance.now()
    await this.around('the suite itself', () => this.suite.execute(this))
    await this.around('its programs', () => this.endChildren())
    const groups = this.suite.groups(this.options)
    for (const { name, cases } of groups) this.checkCount(name, cases)
    if (this.failures === 0) rmSync(this.scratch, { recursive: true, force: true })
    return {
      suite: this.suite.name,
      subject: this.subject.name,
      groups,
      cases: this.cases,
      ms: performance.now() - startMs,
    }
  }

  /** One line about long work. */
  public readonly progress: (line: string) => void = (line) => this.tell(line)

  /** A case passed. */
  public passed(group: string, name: string, ms: number = 0): void {
    this.cases.push({ group, name, ms, failure: undefined })
  }

  /** A case failed. */
  public failed(
    group: string,
    name: string,
    reason: string,
    frames?: string,
    ms: number = 0,
  ): void {
    this.cases.push({ group, name, ms, failure: { reason, frames } })
    this.failures += 1
    if (this.failures > MAX_TOLD) return
    this.tell(`FAILED ${group}: ${name}: ${reason.split('\n')[0]}`)
  }

  /** A case that passes if `body` resolves in time. With the frames of all trace files if it fails. */
  public async check(
    group: string,
    name: string,
    body: () => Promise<void>,
    withinMs: number = CASE_MS,
  ): Promise<void> {
    const startMs = performance.now()
    const marks = this.traces.map((trace) => trace.mark())
    try {
      await inTime(body(), withinMs)
      this.passed(group, name, performance.now() - startMs)
    } catch (error) {
      const ms = performance.now() - startMs
      this.failed(group, name, messageOf(error), this.framesSince(marks), ms)
    }
  }

  /** The frames of all trace files while `act` runs; undefined when there were none. */
  public async framesOf(act: () => Promise<unknown>): Promise<string | undefined> {
    const marks = this.traces.map((trace) => trace.mark())
    await act()
    return this.framesSince(marks)
  }

  /** A file for the frames of a program; what is added during a case belongs to the case. */
  public traceFile(name: string): TraceFile {
    const trace = new TraceFile(join(this.scratch, `${name}.trace`))
    this.traces.push(trace)
    return trace
  }

  /** What the subject is in this suite. */
  public role<R extends RoleName>(name: R): Roles[R] {
    const role = this.subject.roles[name]
    if (role === undefined) throw new Error(`${this.subject.name} has no ${name}`)
    return role as Roles[R]
  }

  /** Starts a program of this run; it is stopped when the run ends, and must not end before. */
  public start(command: Command): Child {
    const child = new Child(command)
    this.children.push(child)
    return child
  }

  /** Starts a server and waits until it accepts. */
  public async serve(name: string, program: ServerProgram, tls: boolean): Promise<RunningServer> {
    const asked = program.needsPort === true ? await freePort() : 0
    const traceFile = this.traceFile(name).path
    const child = this.start(await program.command({ port: asked, tls, traceFile }, this.progress))
    const port = asked || Number((await child.line(ADDRESS_LINE, READY_MS))[1])
    if (!(await accepting(port, READY_MS))) {
      throw new Error(`${child.describe()} does not accept at ${port}: ${child.lastWords()}`)
    }
    return { port, child }
  }

  /** The command of a client, with the frames that it sees going to the file `name`. */
  public async client(name: string, program: ClientProgram): Promise<Command> {
    return program.command(this.traceFile(name).path, this.progress)
  }

  private async endChildren(): Promise<void> {
    const died = this.children.filter((child) => child.diedWith !== undefined)
    await Promise.all(this.children.map((child) => child.stop()))
    if (died.length === 0) return
    const ends = died.map((child) => `${child.describe()} ended early: ${child.lastWords()}`)
    throw new Error(ends.join('\n'))
  }

  /** Runs a part that is no case but must not fail. */
  private async around(what: string, part: () => Promise<void>): Promise<void> {
    try {
      await part()
    } catch (error) {
      this.failed('run', what, messageOf(error))
    }
  }

  private framesSince(marks: readonly number[]): string | undefined {
    const frames = this.traces.map((trace, i) => trace.since(marks[i] ?? 0)).join('\n')
    return frames.trim() === '' ? undefined : frames
  }

  private checkCount(group: string, pinned: number): void {
    const { length } = this.cases.filter((one) => one.group === group)
    if (length === pinned) return
    this.failed('run', `the count of ${group}`, `ran ${length} cases; ${pinned} are pinned`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function inTime(work: Promise<void>, withinMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${withinMs} ms`)), withinMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
