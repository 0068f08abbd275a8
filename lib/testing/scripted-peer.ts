// A peer that does what it is told: it writes frames in either role, legal or not, and keeps what it
// receives as lines of text. It follows no rule and answers nothing by itself, so that a spec can
// show what a connection makes of any peer.
//
//   const peer = ScriptedPeer.onWire(wire, 'client')
//   peer.handshake()
//   peer.send(peer.headers(1, [':method', 'GET', …], { endStream: true }))
//   peer.expect('HEADERS stream=1 …')
import {
  CONNECTION_PREFACE,
  Flag,
  FrameDescriber,
  FrameType,
  frame,
  goAwayFrameBytes,
  paddedFrame,
  putGoAway,
  putSettings,
  type SettingEntry,
  settingsFrameBytes,
} from '../frame/index.ts'
import { HpackDecoder, HpackEncoder } from '../hpack/index.ts'
import type { MemoryWire } from './memory-wire.ts'

/** How a peer reaches the other side. */
export interface PeerLink {
  /** Brings octets to the other side. */
  write(bytes: Buffer): void
  /** What has come from the other side since the last call. */
  read(): Buffer
}

/** Flags and padding of a frame. */
export interface FrameParts {
  /** Default false. */
  readonly endStream?: boolean
  /** Default true. */
  readonly endHeaders?: boolean
  /** Sets PADDED; 0 is padding of its length octet alone. */
  readonly padLength?: number
  /** Sets PRIORITY: the stream depended on. */
  readonly dependsOn?: number
}

/** Bounds of a peer's decoder: it shall never be what gives up. */
const ANY_LIST = { maxListBytes: 0x7fff_ffff, maxFields: 0x7fff_ffff }

/** One end of a connection in the hands of a spec; see above. */
export class ScriptedPeer {
  public readonly role: 'client' | 'server'
  /** Every frame received, one line each as `describeFrame` has it, fields of header blocks added. */
  public readonly lines: string[] = []
  /** Encodes the blocks of {@link ScriptedPeer.headers}. */
  public readonly encoder: HpackEncoder = new HpackEncoder()
  private readonly link: PeerLink
  private readonly decoder = new HpackDecoder(ANY_LIST)
  private readonly describer: FrameDescriber
  private taken = 0

  public constructor(link: PeerLink, role: 'client' | 'server') {
    this.link = link
    this.role = role
    this.describer = new FrameDescriber({
      previewBytes: 64,
      describeBlock: (block) => describeFields(this.decoder.decode(block, 0, block.length).fields),
    })
  }

  /** A peer at the far side of a lone {@link MemoryWire}, which it drives. */
  public static onWire(wire: MemoryWire, role: 'client' | 'server'): ScriptedPeer {
    return new ScriptedPeer(
      {
        write: (bytes) => {
          wire.deliver(bytes)
          wire.drive()
        },
        read: () => {
          wire.drive()
          return wire.takeSent()
        },
      },
      role,
    )
  }

  // ── sending

  /** Sends frames, or any octets as spaced hex digits, in one piece. */
  public send(...parts: readonly (Buffer | string)[]): void {
    this.link.write(
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? fromHex(part) : part))),
    )
  }

  /**
   * Sends what this role sends first (preface, SETTINGS with `entries`, ACK of the other side's) and
   * forgets what the other side sent until then.
   */
  public handshake(entries: readonly SettingEntry[] = []): void {
    if (this.role === 'client') this.send(this.preface())
    this.send(this.settings(entries), this.settingsAck())
    this.take()
  }

  // ── receiving

  /** The lines since the last call of `take` or `expect`. */
  public take(): string[] {
    this.receive()
    const fresh = this.lines.slice(this.taken)
    this.taken = this.lines.length
    return fresh
  }

  /**
   * Takes the lines since the last call and compares them, all and in order: with a text that a line
   * must begin with, or a pattern. Throws an Error that shows both.
   */
  public expect(...wanted: readonly (string | RegExp)[]): void {
    const got = this.take()
    const matches =
      got.length === wanted.length && wanted.every((want, i) => isLike(got[i] as string, want))
    if (matches) return
    const show = (lines: readonly (string | RegExp)[]): string =>
      lines.map((line) => `\n    ${String(line)}`).join('') || ' nothing'
    throw new Error(`unexpected_frames\n  got:${show(got)}\n  want:${show(wanted)}`)
  }

  private receive(): void {
    this.lines.push(...this.describer.push(this.link.read()))
  }

  // ── frames, as owned buffers

  /** The octets of a client before its first frame. */
  public preface(): Buffer {
    return Buffer.from(CONNECTION_PREFACE, 'latin1')
  }

  public settings(entries: readonly SettingEntry[] = []): Buffer {
    const buf = Buffer.alloc(settingsFrameBytes(entries.length))
    putSettings(buf, 0, entries)
    return buf
  }

  public settingsAck(): Buffer {
    return frame(FrameType.SETTINGS, Flag.ACK, 0)
  }

  /** A ping with eight octets, as hex digits. */
  public ping(opaque = '0001020304050607', ack = false): Buffer {
    return frame(FrameType.PING, ack ? Flag.ACK : 0, 0, opaque)
  }

  /** A header block of `fields`; the encoder's table moves on, so send blocks in their order. */
  public block(fields: readonly string[]): Buffer {
    const buf = Buffer.alloc(this.encoder.encodedBound(fields))
    const start = this.encoder.begin(buf, 0)
    return buf.subarray(0, this.encoder.encode(fields, buf, start))
  }

  /** HEADERS with a block of `fields`, or with any octets as its fragment. */
  public headers(
    streamId: number,
    fields: readonly string[] | Buffer,
    parts: FrameParts = {},
  ): Buffer {
    const fragment = Buffer.isBuffer(fields) ? fields : this.block(fields)
    if (parts.dependsOn === undefined) {
      return maybePadded(FrameType.HEADERS, flagsOf(parts), streamId, fragment, parts)
    }
    const contents = Buffer.concat([priorityOf(parts.dependsOn), fragment])
    const flags = flagsOf(parts) | Flag.PRIORITY
    return maybePadded(FrameType.HEADERS, flags, streamId, contents, parts)
  }

  public continuation(streamId: number, fragment: Buffer, endHeaders = true): Buffer {
    return frame(FrameType.CONTINUATION, endHeaders ? Flag.END_HEADERS : 0, streamId, fragment)
  }

  /** DATA with octets, or with the latin1 octets of a text. */
  public data(streamId: number, data: Buffer | string, parts: FrameParts = {}): Buffer {
    const octets = typeof data === 'string' ? Buffer.from(data, 'latin1') : data
    const flags = parts.endStream ? Flag.END_STREAM : 0
    return maybePadded(FrameType.DATA, flags, streamId, octets, parts)
  }

  public rstStream(streamId: number, code: number): Buffer {
    return frame(FrameType.RST_STREAM, 0, streamId, uint32(code))
  }

  public windowUpdate(streamId: number, increment: number): Buffer {
    return frame(FrameType.WINDOW_UPDATE, 0, streamId, uint32(increment))
  }

  public priority(streamId: number, dependsOn: number): Buffer {
    return frame(FrameType.PRIORITY, 0, streamId, priorityOf(dependsOn))
  }

  public pushPromise(streamId: number, promisedId: number, fields: readonly string[]): Buffer {
    const payload = Buffer.concat([uint32(promisedId), this.block(fields)])
    return frame(FrameType.PUSH_PROMISE, Flag.END_HEADERS, streamId, payload)
  }

  public goAway(lastStreamId: number, code = 0, debug = ''): Buffer {
    const buf = Buffer.alloc(goAwayFrameBytes(debug.length))
    putGoAway(buf, 0, lastStreamId, code, debug)
    return buf
  }

  /** Any frame at all. */
  public frame(type: number, flags: number, streamId: number, payload?: Buffer | string): Buffer {
    return frame(type, flags, streamId, payload)
  }
}

function flagsOf({ endStream = false, endHeaders = true }: FrameParts): number {
  return (endStream ? Flag.END_STREAM : 0) | (endHeaders ? Flag.END_HEADERS : 0)
}

function maybePadded(
  type: number,
  flags: number,
  streamId: number,
  contents: Buffer,
  { padLength }: FrameParts,
): Buffer {
  if (padLength === undefined) return frame(type, flags, streamId, contents)
  return paddedFrame(type, flags, streamId, contents, padLength)
}

function priorityOf(dependsOn: number): Buffer {
  return Buffer.concat([uint32(dependsOn), Buffer.of(15)])
}

function uint32(value: number): Buffer {
  const buf = Buffer.alloc(4)
  buf.writeUInt32BE(value)
  return buf
}

function fromHex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

function isLike(line: string, want: string | RegExp): boolean {
  return typeof want === 'string' ? line.startsWith(want) : want.test(line)
}

function describeFields(fields: readonly string[]): string {
  const shown: string[] = []
  for (let at = 0; at < fields.length; at += 2) shown.push(`${fields[at]}: ${fields[at + 1]}`)
  return `{${shown.join(', ')}}`
}
