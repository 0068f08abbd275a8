// A server that a channel is looked at from: it says when connections come, end and ping, and does
// with them what a scene wants. What octets mean on the wire is conformance/negative's.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { type ErrorCode, FrameType, frame } from '../../lib/frame/index.ts'
import type { Call } from '../conformance/negative/call.ts'
import { Peer } from '../conformance/negative/peer.ts'

const GO_AWAY_BYTES = 8
const POLL_MS = 5
const WITHIN_MS = 40_000

/** How a connection is treated. */
export interface Manners {
  /** Closed as soon as it is accepted. */
  readonly refuses?: boolean
  /** Says nothing, not even SETTINGS. */
  readonly mute?: boolean
  /** Leaves pings without ACK. */
  readonly ignoresPings?: boolean
  /** What happens with a request, by its place among those of this connection. Default: answered. */
  readonly answer?: (call: Call, connection: Connection) => void
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Resolves once `condition` holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const giveUp = AbortSignal.timeout(WITHIN_MS)
  while (!condition()) {
    if (giveUp.aborted) throw new Error(`never came: ${what}`)
    await sleep(POLL_MS)
  }
}

/** Answers a call with status OK and an empty message. */
export function answerWell(call: Call): void {
  call.sendHeaders()
  void call.sendData(Buffer.alloc(5)).then(() => call.sendTrailers())
}

/** One connection, as it went. Times are of performance.now(). */
export class Connection {
  public readonly acceptedMs: number = performance.now()
  public closedMs: number | undefined
  public readonly pingsMs: number[] = []
  public readonly calls: Call[] = []
  private readonly socket: Socket
  private peer: PingWatchingPeer | undefined

  public constructor(socket: Socket, manners: Manners) {
    this.socket = socket
    socket.on('error', () => {})
    socket.once('close', () => {
      this.closedMs = performance.now()
    })
    if (manners.refuses) socket.destroy()
    else if (manners.mute) socket.resume()
    else this.speak(manners)
  }

  public get streamIds(): number[] {
    return this.calls.map(({ streamId }) => streamId)
  }

  public goAway(lastStreamId: number, code: ErrorCode, debugText = ''): void {
    const payload = Buffer.alloc(GO_AWAY_BYTES)
    payload.writeUInt32BE(lastStreamId, 0)
    payload.writeUInt32BE(code, 4)
    const whole = Buffer.concat([payload, Buffer.from(debugText)])
    this.peer?.write(frame(FrameType.GOAWAY, 0, 0, whole))
  }

  /** Ends it as a crash of the server does. */
  public destroy(): void {
    this.socket.destroy()
  }

  public async closed(): Promise<number> {
    await until(() => this.closedMs !== undefined, 'the end of a connection')
    return this.closedMs as number
  }

  private speak({ answer = answerWell, ignoresPings = false }: Manners): void {
    const onPing = (): boolean => {
      this.pingsMs.push(performance.now())
      return !ignoresPings
    }
    this.peer = new PingWatchingPeer(this.socket, onPing, (call) => {
      this.calls.push(call)
      answer(call, this)
    })
  }
}

/** Asks before it acknowledges a ping. */
class PingWatchingPeer extends Peer {
  private readonly onPing: () => boolean

  public constructor(socket: Socket, onPing: () => boolean, onCall: (call: Call) => void) {
    super(socket, [], onCall)
    this.onPing = onPing
  }

  public override ping(ack: boolean, hi: number, lo: number): void {
    if (ack || this.onPing()) super.ping(ack, hi, lo)
  }
}

/** See above. */
export class Stage {
  public readonly connections: Connection[] = []
  private readonly mannersOf: (index: number) => Manners
  private server: Server | undefined
  private port = 0

  /** `mannersOf` is asked for each connection, by its place. */
  public constructor(mannersOf: (index: number) => Manners) {
    this.mannersOf = mannersOf
  }

  public get target(): string {
    return `passthrough:///127.0.0.1:${this.port}`
  }

  /** Listens, at the port that it had. */
  public async up(): Promise<void> {
    this.server = createServer((socket) => {
      this.connections.push(new Connection(socket, this.mannersOf(this.connections.length)))
    }).listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = (this.server.address() as AddressInfo).port
  }

  public async down(): Promise<void> {
    const { server } = this
    if (server === undefined) return
    this.server = undefined
    const closed = once(server, 'close')
    server.close()
    for (const connection of this.connections) connection.destroy()
    await closed
  }

  /** The connection at a place, once it is there. */
  public async connection(index: number): Promise<Connection> {
    await until(() => this.connections.length > index, `connection ${index}`)
    return this.connections[index] as Connection
  }

  /** A request, by its connection and its place there, once it is there. */
  public async call(connection: number, index: number): Promise<Call> {
    const { calls } = await this.connection(connection)
    await until(() => calls.length > index, `call ${index} of connection ${connection}`)
    return calls[index] as Call
  }

  /** The stream ids of the calls of each connection. */
  public get streamIds(): number[][] {
    return this.connections.map(({ streamIds }) => streamIds)
  }
}
