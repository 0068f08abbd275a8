// A v1 resolver in the hands of a spec.
import type { NamingResolver, NamingUpdate, Watcher } from '../../lib/naming/index.ts'
import { settle } from './fake-network.ts'

type Batch = readonly NamingUpdate[]

/** Its watchers say what they are told to, one batch for each question, whichever comes first. */
export class ScriptedNaming implements NamingResolver {
  public readonly targets: string[] = []
  public refusal: string | undefined
  public closes = 0
  private readonly asked: ((batch: Promise<Batch>) => void)[] = []
  private readonly told: Promise<Batch>[] = []

  public resolve(target: string): Watcher {
    if (this.refusal !== undefined) throw new Error(this.refusal)
    this.targets.push(target)
    return {
      next: () => this.told.shift() ?? new Promise((resolve) => this.asked.push(resolve)),
      close: () => {
        this.closes += 1
      },
    }
  }

  public tell(...updates: NamingUpdate[]): Promise<void> {
    return this.say(Promise.resolve(updates))
  }

  public end(message: string): Promise<void> {
    return this.say(Promise.reject(new Error(message)))
  }

  private say(batch: Promise<Batch>): Promise<void> {
    batch.catch(() => {})
    const ask = this.asked.shift()
    if (ask === undefined) this.told.push(batch)
    else ask(batch)
    return settle()
  }
}
