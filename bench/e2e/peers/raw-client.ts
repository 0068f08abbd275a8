// The client of the raw TCP echo: the same callers as everywhere, a promise a call, answered in order.
// The next calls of all responses of one read leave with one write. Reads as framewright's clients
// do, by `onread` into one buffer.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { answerCommands } from '../answers.ts'
import { closedLoop, type RoundPlan } from '../closed-loop.ts'
import { Batch, MessageCount, type RawSizes } from '../raw-echo.ts'

const READ_BYTES = 65_536

/** One connection and the calls that wait on it. */
class RawClient {
  private readonly socket: Socket
  private readonly requests: Batch
  private readonly responses: MessageCount
  private waiting: (() => void)[] = []
  private flushDue = false

  public constructor(port: number, { requestBytes, responseBytes }: RawSizes) {
    this.requests = new Batch(requestBytes)
    this.responses = new MessageCount(responseBytes)
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    const callback = (octets: number): boolean => {
      this.answer(this.responses.read(octets))
      return true
    }
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } })
  }

  public async ready(): Promise<void> {
    await once(this.socket, 'connect')
  }

  public close(): void {
    this.socket.destroy()
  }

  public call(): Promise<void> {
    this.requests.add()
    if (!this.flushDue) {
      this.flushDue = true
      // Behind the continuations of the other calls that the same read answered.
      queueMicrotask(() => this.flush())
    }
    return new Promise((resolve) => {
      this.waiting.push(resolve)
    })
  }

  private flush(): void {
    this.flushDue = false
    this.socket.write(this.requests.take())
  }

  private answer(count: number): void {
    const { waiting } = this
    this.waiting = waiting.slice(count)
    for (let i = 0; i < count; i++) waiting[i]!()
  }
}

let client: RawClient | undefined
let sizes: RawSizes = { requestBytes: 1, responseBytes: 1 }

answerCommands({
  sizes: (agreed: RawSizes) => {
    sizes = agreed
  },
  connect: async (port: number) => {
    client?.close()
    client = new RawClient(port, sizes)
    await client.ready()
  },
  round: (plan: RoundPlan) => closedLoop(plan, () => client!.call()),
})
