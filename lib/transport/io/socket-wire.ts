// A Wire over a socket: TCP, a Unix socket, TLS, or any Duplex. Does not connect, listen or shake
// hands (connect.ts, listen.ts), and does not look into the octets.
//
//   fresh --start--> open --close(grace)--> closing --'close' of the socket--> gone
//
// Until `start` octets wait in the socket's own buffer; while closing they are discarded.
import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../../base/clock.ts'
import { type FlushTarget, requestFlush } from './flush-scheduler.ts'
import type { Wire, WireEvents } from './wire.ts'

/** A lent flush pins its whole slab, so up to this size a copy is cheaper. */
const COPY_UP_TO_BYTES = 8 * 1024
/** What a closing wire reads and discards at most, so that the peer can read our last words. */
const MAX_DISCARD_BYTES = 1024 * 1024

const Phase = { Fresh: 0, Open: 1, Closing: 2, Gone: 3 } as const
type Phase = (typeof Phase)[keyof typeof Phase]

const WIRE = Symbol('wire')
type WiredSocket = Duplex & { [WIRE]: SocketWire }
type NetSocket = Duplex & {
  setNoDelay?(noDelay: boolean): unknown
  ref?(): unknown
  unref?(): unknown
  /** Only `tls.TLSSocket` has it. */
  readonly encrypted?: true
  /** Only `net.Socket` and its heirs have it. */
  readonly bytesWritten?: number
}

/** The wire of one socket, which it owns from then on. */
export class SocketWire implements Wire, FlushTarget {
  /** Of the flush scheduler. */
  public flushDue = 0
  private readonly socket: NetSocket
  private readonly clock: Clock
  /** Plain TCP and Unix sockets: a write that leaves nothing in the stream is in the kernel. */
  private readonly isKernelStream: boolean
  private phase: Phase = Phase.Fresh
  private hasListeners = false
  private isPaused = false
  private hasEnded = false
  private wantsFlush = false
  private discardedBytes = 0
  private graceTimer: Timer | undefined
  private failure: Error | undefined
  private events: WireEvents | undefined

  /** Takes `socket` over; it must have been made with `allowHalfOpen`. */
  public constructor(socket: Duplex, clock: Clock) {
    this.socket = socket
    this.clock = clock
    this.isKernelStream = this.socket.bytesWritten !== undefined && this.socket.encrypted !== true
    const wired = socket as WiredSocket
    wired[WIRE] = this
    wired.on('error', onError)
    wired.on('close', onClose)
    wired.on('end', onEnd)
    this.socket.setNoDelay?.(true)
  }

  /** Begins to read. Events come from the next tick on. */
  public start(events: WireEvents): void {
    if (this.events !== undefined) throw new Error('wire_started_twice: a wire has one connection')
    this.events = events
    process.nextTick(begin, this)
  }

  /** See {@link Wire.write}. What is written while closing goes nowhere. */
  public write(bytes: Buffer): boolean {
    if (this.phase >= Phase.Closing || bytes.length === 0) return true
    const socket = this.socket
    if (this.isKernelStream && socket.writableLength === 0) {
      socket.write(bytes)
      return socket.writableLength === 0
    }
    if (bytes.length > COPY_UP_TO_BYTES) {
      socket.write(bytes)
      return false
    }
    const copy = Buffer.allocUnsafe(bytes.length)
    copy.set(bytes)
    socket.write(copy)
    return true
  }

  public cork(): void {
    this.socket.cork()
  }

  public uncork(): void {
    this.socket.uncork()
  }

  public get unsentBytes(): number {
    return this.socket.writableLength
  }

  public requestFlush(urgency: 'soon' | 'later'): void {
    requestFlush(this, urgency)
  }

  /**
   * While nothing is read, an end of the peer is noticed by a write that fails. A connection pauses
   * only with replies unsent, and no longer than its `replyStallTimeoutMs`.
   */
  public pauseReading(): void {
    if (this.isPaused || this.phase >= Phase.Closing) return
    this.isPaused = true
    this.socket.pause()
  }

  public resumeReading(): void {
    if (!this.isPaused) return
    this.isPaused = false
    if (this.phase === Phase.Open) this.socket.resume()
  }

  public close(graceMs: number): void {
    if (this.phase === Phase.Gone) return
    if (graceMs === 0) {
      this.destroy()
      return
    }
    if (this.phase === Phase.Closing) return
    this.phase = Phase.Closing
    this.listen()
    this.socket.on('finish', onFinish)
    this.socket.end()
    this.socket.resume()
    this.graceTimer = this.clock.timer(graceMs, () => this.destroy(), false)
  }

  /** Lets an open wire keep the process running (the default) or not. */
  public ref(): void {
    this.socket.ref?.()
  }

  public unref(): void {
    this.socket.unref?.()
  }

  /** Of the flush scheduler. */
  public flush(): void {
    if (this.phase === Phase.Open) this.events!.flush()
    else this.wantsFlush = this.phase === Phase.Fresh
  }

  /** Of the flush scheduler. */
  public flushFailed(error: unknown): void {
    this.fail(error)
  }

  /** Destroys the socket; `closed` will say why. For faults of our own, found while it was busy. */
  public fail(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error))
    this.destroy()
  }

  /** Octets that the socket has read into `buf[0, end)`, borrowed. For the static read buffer. */
  public read(buf: Buffer, end: number): void {
    if (this.phase === Phase.Open) {
      try {
        this.events!.receive(buf, 0, end)
      } catch (error) {
        this.fail(error)
      }
    } else if (this.phase === Phase.Fresh) {
      // Into the stream's own buffer, which stops the reading when it is full.
      this.socket.push(Buffer.from(buf.subarray(0, end)))
    } else {
      this.discardedBytes += end
      if (this.discardedBytes > MAX_DISCARD_BYTES) this.destroy()
    }
  }

  /** Of the socket's listeners. */
  public onError(error: Error): void {
    this.failure ??= error
    // A Duplex may have been told not to destroy itself.
    this.destroy()
  }

  /** Of the socket's listeners. */
  public onEnd(): void {
    this.hasEnded = true
    if (this.phase === Phase.Open) this.events!.ended()
    else this.destroyWhenDone()
  }

  /** Of the socket's listeners. */
  public onDrain(): void {
    if (this.phase === Phase.Open) this.events!.writable()
  }

  /** Of the socket's listeners. */
  public onClose(): void {
    this.graceTimer?.cancel()
    this.graceTimer = undefined
    if (this.phase === Phase.Gone) return
    const events = this.events
    // A wire that nobody has started yet tells its end to the one who does.
    if (events === undefined) return
    this.phase = Phase.Gone
    events.closed(this.failure)
  }

  /** Both halves have ended: nothing is left to wait for. */
  public destroyWhenDone(): void {
    if (this.phase === Phase.Closing && this.hasEnded && this.socket.writableFinished) {
      this.destroy()
    }
  }

  /** The first tick after `start`. */
  public begin(): void {
    if (this.socket.closed) {
      this.onClose()
      return
    }
    if (this.phase !== Phase.Fresh) return
    this.phase = Phase.Open
    this.listen()
    if (this.hasEnded) this.events!.ended()
    if (!this.isPaused) this.socket.resume()
    if (this.wantsFlush) this.requestFlush('soon')
  }

  private listen(): void {
    if (this.hasListeners) return
    this.hasListeners = true
    this.socket.on('data', onData)
    this.socket.on('drain', onDrain)
    if (this.isPaused) this.socket.pause()
  }

  private destroy(): void {
    if (this.phase < Phase.Closing) this.phase = Phase.Closing
    this.socket.destroy()
  }
}

// One set of listeners for all sockets: a served connection costs no closure.
function begin(wire: SocketWire): void {
  wire.begin()
}
function onData(this: WiredSocket, chunk: Buffer): void {
  this[WIRE].read(chunk, chunk.length)
}
function onDrain(this: WiredSocket): void {
  this[WIRE].onDrain()
}
function onFinish(this: WiredSocket): void {
  this[WIRE].destroyWhenDone()
}
function onEnd(this: WiredSocket): void {
  this[WIRE].onEnd()
}
function onError(this: WiredSocket, error: Error): void {
  this[WIRE].onError(error)
}
function onClose(this: WiredSocket): void {
  this[WIRE].onClose()
}
