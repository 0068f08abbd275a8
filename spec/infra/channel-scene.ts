// Scenes that are played with two channels, ours and grpc-go's, each before a server of its own.
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { goTool } from '../conformance/peers/go.ts'
import { Child, type Command } from '../conformance/process/child.ts'
import { type Manners, Stage, until } from './channel-stage.ts'

const ours: Command = {
  file: execPath,
  args: [fileURLToPath(new URL('../conformance/programs/behaviour-client.js', import.meta.url))],
}

/** Whose channel it is. */
export type SubjectName = 'framewright' | 'grpc-go'

const subjects: readonly (readonly [name: SubjectName, command: Command])[] = [
  ['framewright', ours],
  ['grpc-go', { file: await goTool('behaviour', (line) => t.comment(line)), args: [] }],
]

type FlagValues = Readonly<Record<string, string | number | boolean>>

/** A channel, in its program. */
export class Channel {
  public readonly subject: SubjectName
  private readonly child: Child

  public constructor(t: Test, subject: SubjectName, command: Command, flags: FlagValues) {
    this.subject = subject
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    this.child = new Child({ ...command, args: [...command.args, ...args] })
    t.teardown(() => this.child.stop())
  }

  public say(line: string): void {
    this.child.stdin.write(`${line}\n`)
  }

  /** What it was, in this order. */
  public get states(): string[] {
    return this.lines('state ')
  }

  /** `ID CODE` of each call that ended. */
  public get results(): string[] {
    return this.lines('result ')
  }

  public is(state: string): Promise<void> {
    return until(() => this.states.at(-1) === state, `${state} after ${this.states}`)
  }

  public ended(count: number): Promise<void> {
    return until(() => this.results.length >= count, `result ${count}: ${this.child.lastWords()}`)
  }

  private lines(start: string): string[] {
    const lines = this.child.stdout.split('\n').slice(0, -1)
    return lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length))
  }
}

/** What a channel goes through. */
export interface Scene {
  /** Of spec/peers/go/behaviour. */
  readonly flags?: FlagValues
  /** How the server treats each connection. Default: well. */
  readonly manners?: (index: number) => Manners
  readonly play: (t: Test, channel: Channel, stage: Stage) => Promise<void>
}

/** Plays a scene with both at once. */
export function scene(name: string, { flags = {}, manners = () => ({}), play }: Scene): void {
  t.test(name, { buffered: true }, async (t) => {
    t.jobs = subjects.length
    const played = subjects.map(([subject, command]) =>
      t.test(subject, { buffered: true }, async (t) => {
        const stage = new Stage(manners)
        await stage.up()
        t.teardown(() => stage.down())
        const channel = new Channel(t, subject, command, { target: stage.target, ...flags })
        await channel.is('IDLE')
        await play(t, channel, stage)
      }),
    )
    await Promise.all(played)
  })
}
