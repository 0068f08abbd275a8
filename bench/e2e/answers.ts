// The peers' end of the talk between the process that measures and those that are measured: commands
// come over IPC, each is answered once.
import { setTimeout as sleep } from 'node:timers/promises'

/** A question, and what it is answered with. */
export interface Command {
  readonly id: number
  readonly name: string
  readonly arg: unknown
}

/** The answer to the command of the same id: one of the two. */
export interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** What a process holds, octets, after garbage collection. */
export interface MemoryHeld {
  readonly rss: number
  /** The JavaScript heap and what it holds outside of it. */
  readonly heap: number
}

// biome-ignore lint/suspicious/noExplicitAny: each command knows what its own argument is
type Commands = Readonly<Record<string, (arg: any) => unknown>>

const SETTLE_MS = 300
const COLLECTIONS = 4

/** Answers what any peer is asked, and `commands`. Ends with its parent. */
export function answerCommands(commands: Commands): void {
  const all: Commands = { ...commands, cpuUs, memoryHeld }
  process.on('message', ({ id, name, arg }: Command) => {
    void answer(id, () => all[name]!(arg))
  })
  process.on('disconnect', () => process.exit())
}

async function answer(id: number, run: () => unknown): Promise<void> {
  let reply: Answer
  try {
    reply = { id, result: await run() }
  } catch (error) {
    reply = { id, error: String(error) }
  }
  process.send!(reply)
}

/** The processor time of all threads of this process so far. */
export function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

async function memoryHeld(): Promise<MemoryHeld> {
  await sleep(SETTLE_MS)
  for (let i = 0; i < COLLECTIONS; i++) globalThis.gc!()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heap: heapUsed + external }
}
