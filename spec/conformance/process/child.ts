// Programs that take part in a suite: started, waited for, stopped by their id. Knows nothing of what
// they are.
import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** A program and its arguments. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>
}

/** How a program came to its end. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What a program that has ended leaves. */
export interface Ended extends Exit {
  readonly stdout: string
  readonly stderr: string
  /** It was stopped because it took too long. */
  readonly timedOut: boolean
}

const STOP_GRACE_MS = 5_000
/** More output of one program is not kept. */
const MAX_OUTPUT_CHARS = 64 * 1024 * 1024

/** A command as one would type it. */
export function commandLine({ file, args }: Command): string {
  return [file, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`))
    .join(' ')
}

/** A program that runs. Its output is kept. */
export class Child {
  public readonly command: Command
  public readonly exited: Promise<Exit>
  private readonly process: ChildProcess
  private readonly out: OutputText
  private readonly err: OutputText
  private exit: Exit | undefined
  private isStopping = false

  public constructor(command: Command) {
    this.command = command
    this.process = spawn(command.file, command.args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...command.env },
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    })
    this.out = new OutputText(this.process.stdout!)
    this.err = new OutputText(this.process.stderr!)
    this.process.stdin!.on('error', ignore) // it may end without reading
    this.exited = this.awaitEnd()
  }

  public get stdin(): Writable {
    return this.process.stdin!
  }

  public get stdout(): string {
    return this.out.text
  }

  public get stderr(): string {
    return this.err.text
  }

  /** How it ended on its own; undefined while it runs, and when it was stopped. */
  public get diedWith(): Exit | undefined {
    return this.isStopping ? undefined : this.exit
  }

  /** The match of the first line, on either output, that `pattern` matches. */
  public async line(pattern: RegExp, withinMs: number): Promise<RegExpExecArray> {
    const giveUp = AbortSignal.timeout(withinMs)
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (match !== null) return match
      if (this.exit !== undefined) throw new Error(`${this.describe()} ended: ${this.lastWords()}`)
      if (giveUp.aborted) {
        throw new Error(`${this.describe()} printed no ${pattern} in ${withinMs} ms`)
      }
      await Promise.race([this.out.more(), this.err.more(), this.exited, aborted(giveUp)])
    }
  }

  /** Asks it to end, and makes it end when it does not; it is gone when this resolves. */
  public async stop(): Promise<Exit> {
    if (this.exit === undefined && !this.isStopping) {
      this.isStopping = true
      this.process.kill('SIGTERM')
      const timer = setTimeout(() => this.process.kill('SIGKILL'), STOP_GRACE_MS)
      await this.exited
      clearTimeout(timer)
    }
    return this.exited
  }

  /** Ends it as a crash does; it is gone when this resolves. */
  public async kill(): Promise<Exit> {
    this.isStopping = true
    this.process.kill('SIGKILL')
    return this.exited
  }

  /** The end of what it said, for an error message. */
  public lastWords(): string {
    const words = `${this.stdout}\n${this.stderr}`.trim().split('\n').slice(-20).join('\n')
    return words === '' ? '(it said nothing)' : words
  }

  public describe(): string {
    return commandLine(this.command)
  }

  private awaitEnd(): Promise<Exit> {
    return new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.exit = { code, signal }
        resolve(this.exit)
      }
      this.process.once('close', end)
      this.process.once('error', (error) => {
        this.err.append(`${error.message}\n`)
        end(null, null)
      })
    })
  }
}

/** Runs a program to its end, with `input` to read, or stops it after `withinMs`. */
export async function runToEnd(
  command: Command,
  withinMs: number,
  input: string = '',
): Promise<Ended> {
  const child = new Child(command)
  child.stdin.end(input)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    void child.stop()
  }, withinMs)
  const exit = await child.exited
  clearTimeout(timer)
  return { ...exit, stdout: child.stdout, stderr: child.stderr, timedOut }
}

/** The output of a program that must end with 0. */
export async function outputOf(command: Command, withinMs: number): Promise<string> {
  const { code, signal, stdout, stderr, timedOut } = await runToEnd(command, withinMs)
  if (code === 0) return stdout
  const how = timedOut ? `took longer than ${withinMs} ms` : `ended with ${signal ?? code}`
  throw new Error(`${commandLine(command)} ${how}\n${(stderr + stdout).trim().slice(-4_000)}`)
}

/** What came out of a stream so far. */
class OutputText {
  public text = ''
  private waiting: (() => void)[] = []

  public constructor(stream: Readable) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => this.append(chunk))
    stream.on('error', ignore)
  }

  public append(chunk: string): void {
    if (this.text.length < MAX_OUTPUT_CHARS) this.text += chunk
    for (const wake of this.waiting.splice(0)) wake()
  }

  public more(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function ignore(): void {}
