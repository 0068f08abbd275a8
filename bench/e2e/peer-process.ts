// Processes that are measured: started from the scripts in peers/, asked over IPC, stopped by their id.
import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Answer, Command, MemoryHeld } from './answers.ts'

/** A script of peers/ and its arguments. */
export interface PeerScript {
  readonly name: string
  readonly args?: readonly string[]
}

interface Waiting {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: Error) => void
}

/** One such process. */
export class PeerProcess {
  private readonly name: string
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, Waiting>()
  private stderr = ''
  private nextId = 0

  public constructor({ name, args = [] }: PeerScript) {
    this.name = name
    const path = fileURLToPath(new URL(`./peers/${name}.js`, import.meta.url))
    this.child = fork(path, args, {
      execArgv: ['--expose-gc', ...profilerFlags()],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString()
    })
    this.child.on('message', (answer: Answer) => this.settle(answer))
    this.child.on('error', (error) => this.fail(error))
    this.child.on('close', () => this.fail(new Error(`${name} ended: ${this.lastWords()}`)))
  }

  /** Runs a command of the script and resolves with its result. */
  public ask<T>(name: string, arg?: unknown): Promise<T> {
    if (!this.child.connected) return Promise.reject(new Error(`${this.name} has ended`))
    const command: Command = { id: this.nextId++, name, arg }
    return new Promise<unknown>((resolve, reject) => {
      this.waiting.set(command.id, { resolve, reject })
      this.child.send(command)
    }) as Promise<T>
  }

  public cpuUs(): Promise<number> {
    return this.ask('cpuUs')
  }

  public memoryHeld(): Promise<MemoryHeld> {
    return this.ask('memoryHeld')
  }

  /** Keeps all threads of the process on one core. Needs `taskset`. */
  public async pinTo(core: number): Promise<void> {
    await promisify(execFile)('taskset', ['-acp', String(core), String(this.child.pid)])
  }

  /** Ends the process; it is gone when this resolves. */
  public async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = once(this.child, 'exit')
    if (this.child.connected) this.child.disconnect()
    else this.child.kill()
    await gone
  }

  private settle({ id, result, error }: Answer): void {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) waiting?.resolve(result)
    else waiting?.reject(new Error(`${this.name}: ${error}`))
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error)
    this.waiting.clear()
  }

  /** The line of its stderr that names an error, or else the last. */
  private lastWords(): string {
    const lines = this.stderr.trim().split('\n')
    return lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? ''
  }
}

/** BENCH_CPU_PROF names a folder for one CPU profile of each peer. */
function profilerFlags(): string[] {
  const folder = process.env['BENCH_CPU_PROF']
  return folder === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${folder}`]
}
