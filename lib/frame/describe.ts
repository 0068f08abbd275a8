// Frames as lines of text, for traces and golden transcripts (RFC 9113 section 6).
//
// Takes what comes, legal or not, and judges nothing. Header blocks are HPACK's: a caller that wants
// to see fields brings the decoder.
import { ByteSink } from '../base/byte-sink.ts'
import {
  CONNECTION_PREFACE,
  errorCodeName,
  Flag,
  FRAME_HEADER_BYTES,
  FrameType,
  frameTypeName,
  settingName,
} from './constants.ts'

/** What a description shows beside the frame itself. */
export interface DescribeOptions {
  /** How many octets of DATA to show as text. 0 by default: payloads may be secret. */
  readonly previewBytes?: number
}

/** What a {@link FrameDescriber} shows. */
export interface FrameDescriberOptions extends DescribeOptions {
  /**
   * Describes a field block, called once for each complete one in the order of the wire, so that a
   * stateful HPACK decoder fits. The block is *borrowed*.
   */
  readonly describeBlock?: (block: Buffer) => string
}

const DEBUG_TEXT_BYTES = 128
const MALFORMED_BYTES = 16
/** How large the buffer of an idle describer may be. */
const MAX_KEPT_BYTES = 65_536

const END_STREAM: FlagName = [Flag.END_STREAM, 'END_STREAM']
const ACK: FlagName = [Flag.ACK, 'ACK']
const END_HEADERS: FlagName = [Flag.END_HEADERS, 'END_HEADERS']
const PADDED: FlagName = [Flag.PADDED, 'PADDED']
const PRIORITY: FlagName = [Flag.PRIORITY, 'PRIORITY']

type FlagName = readonly [bit: number, name: string]

/** The frame as it is known to a describing function. */
interface Frame {
  readonly flags: number
  readonly payload: Buffer
  readonly previewBytes: number
}

interface Description {
  readonly flags: readonly FlagName[]
  /** Undefined: the payload cannot be of this type. */
  readonly details: (frame: Frame) => string | undefined
}

const DESCRIPTIONS: ReadonlyMap<number, Description> = new Map<number, Description>([
  [FrameType.DATA, { flags: [END_STREAM, PADDED], details: describeData }],
  [
    FrameType.HEADERS,
    { flags: [END_STREAM, END_HEADERS, PADDED, PRIORITY], details: describeHeaders },
  ],
  [FrameType.PRIORITY, { flags: [], details: describePriority }],
  [FrameType.RST_STREAM, { flags: [], details: describeRstStream }],
  [FrameType.SETTINGS, { flags: [ACK], details: describeSettings }],
  [FrameType.PUSH_PROMISE, { flags: [END_HEADERS, PADDED], details: describePushPromise }],
  [FrameType.PING, { flags: [ACK], details: describePing }],
  [FrameType.GOAWAY, { flags: [], details: describeGoAway }],
  [FrameType.WINDOW_UPDATE, { flags: [], details: describeWindowUpdate }],
  [FrameType.CONTINUATION, { flags: [END_HEADERS], details: describeContinuation }],
])

const UNKNOWN: Description = { flags: [], details: () => '' }

/** One line: type, stream, length, flags, and what the payload says. `payload` is *borrowed*. */
export function describeFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer,
  options: DescribeOptions = {},
): string {
  const description = DESCRIPTIONS.get(type) ?? UNKNOWN
  const details =
    description.details({ flags, payload, previewBytes: options.previewBytes ?? 0 }) ??
    join(['malformed', hex(payload, MALFORMED_BYTES)])
  return join([
    frameTypeName(type),
    `stream=${streamId}`,
    `length=${payload.length}`,
    describeFlags(flags, description.flags),
    details,
  ])
}

/**
 * Turns the octets of one direction of a connection, cut into pieces anywhere, into lines.
 *
 * Gathers whole frames and blocks without a limit of its own: whoever parses the same octets ends
 * the connection first.
 */
export class FrameDescriber {
  private readonly options: FrameDescriberOptions
  private readonly preface = Buffer.from(CONNECTION_PREFACE, 'latin1')
  private prefaceIsPossible = true
  private received = new ByteSink()
  private block = new ByteSink()

  public constructor(options: FrameDescriberOptions = {}) {
    this.options = options
  }

  /** The lines of all frames that `buf[start, end)` completes. A client's preface gives none. */
  public push(buf: Buffer, start = 0, end: number = buf.length): string[] {
    this.received.append(buf, start, end)
    const lines: string[] = []
    let pos = this.prefaceIsPossible ? this.skipPreface() : 0
    while (this.received.pos - pos >= FRAME_HEADER_BYTES && !this.prefaceIsPossible) {
      const frameEnd = pos + FRAME_HEADER_BYTES + this.received.buf.readUIntBE(pos, 3)
      if (frameEnd > this.received.pos) break
      lines.push(this.describe(this.received.buf.subarray(pos, frameEnd)))
      pos = frameEnd
    }
    this.drop(pos)
    return lines
  }

  private skipPreface(): number {
    const length = Math.min(this.received.pos, this.preface.length)
    const matches = this.received.buf.compare(this.preface, 0, length, 0, length) === 0
    this.prefaceIsPossible = matches && length < this.preface.length
    return matches && length === this.preface.length ? length : 0
  }

  private describe(frame: Buffer): string {
    const type = frame[3]!
    const flags = frame[4]!
    const payload = frame.subarray(FRAME_HEADER_BYTES)
    const line = describeFrame(type, flags, uint31(frame, 5), payload, this.options)
    return join([line, this.describeBlock(type, flags, payload)])
  }

  /** Gathers fragments; the frame that ends a block shows it. */
  private describeBlock(type: number, flags: number, payload: Buffer): string {
    const { describeBlock } = this.options
    if (describeBlock === undefined) return ''
    const fragment = fragmentOf(type, flags, payload)
    if (fragment === undefined) return ''
    if (type !== FrameType.CONTINUATION) this.block.pos = 0
    this.block.append(fragment)
    if ((flags & Flag.END_HEADERS) === 0) return ''
    const block = this.block.detach()
    try {
      return describeBlock(block)
    } catch (error) {
      return `undecodable (${error instanceof Error ? error.message : String(error)})`
    }
  }

  private drop(octets: number): void {
    const { buf, pos } = this.received
    buf.copyWithin(0, octets, pos)
    this.received.pos = pos - octets
    if (pos === octets && buf.length > MAX_KEPT_BYTES) this.received = new ByteSink()
  }
}

function describeFlags(flags: number, names: readonly FlagName[]): string {
  if (flags === 0) return ''
  const known = names.filter(([bit]) => (flags & bit) !== 0)
  const unknown = known.reduce((left, [bit]) => left & ~bit, flags)
  const shown = known.map(([, name]) => name)
  if (unknown !== 0) shown.push(`0x${unknown.toString(16).padStart(2, '0')}`)
  return `flags=${shown.join('|')}`
}

function describeData({ flags, payload, previewBytes }: Frame): string | undefined {
  const contents = unpadded(flags, payload)
  if (contents === undefined) return undefined
  const preview = previewBytes > 0 ? quote(contents, previewBytes) : ''
  return join([`data=${contents.length}`, describePadding(flags, payload), preview])
}

function describeHeaders({ flags, payload }: Frame): string | undefined {
  const fragment = fragmentOf(FrameType.HEADERS, flags, payload)
  if (fragment === undefined) return undefined
  const priority =
    (flags & Flag.PRIORITY) === 0 ? '' : dependency(unpadded(flags, payload) ?? payload)
  return join([`block=${fragment.length}`, describePadding(flags, payload), priority])
}

function describePriority({ payload }: Frame): string | undefined {
  return payload.length === 5 ? dependency(payload) : undefined
}

function describeRstStream({ payload }: Frame): string | undefined {
  return payload.length === 4 ? errorCodeName(payload.readUInt32BE(0)) : undefined
}

function describeSettings({ payload }: Frame): string | undefined {
  if (payload.length % 6 !== 0) return undefined
  const entries: string[] = []
  for (let pos = 0; pos < payload.length; pos += 6) {
    entries.push(`${settingName(payload.readUInt16BE(pos))}=${payload.readUInt32BE(pos + 2)}`)
  }
  return entries.join(' ')
}

function describePushPromise({ flags, payload }: Frame): string | undefined {
  const fragment = fragmentOf(FrameType.PUSH_PROMISE, flags, payload)
  if (fragment === undefined) return undefined
  const promisedId = uint31(unpadded(flags, payload) ?? payload, 0)
  return join([
    `promised=${promisedId}`,
    `block=${fragment.length}`,
    describePadding(flags, payload),
  ])
}

function describePing({ payload }: Frame): string | undefined {
  return payload.length === 8 ? payload.toString('hex') : undefined
}

function describeGoAway({ payload }: Frame): string | undefined {
  if (payload.length < 8) return undefined
  const code = errorCodeName(payload.readUInt32BE(4))
  const debug = payload.length > 8 ? quote(payload.subarray(8), DEBUG_TEXT_BYTES) : ''
  return join([`last=${uint31(payload, 0)}`, code, debug])
}

function describeWindowUpdate({ payload }: Frame): string | undefined {
  return payload.length === 4 ? `+${uint31(payload, 0)}` : undefined
}

function describeContinuation({ payload }: Frame): string {
  return `block=${payload.length}`
}

function describePadding(flags: number, payload: Buffer): string {
  return (flags & Flag.PADDED) === 0 ? '' : `pad=${payload[0]}`
}

function dependency(priority: Buffer): string {
  const exclusive = (priority[0]! & 0x80) !== 0 ? 'exclusive' : ''
  return join([`dependsOn=${uint31(priority, 0)}`, `weight=${priority[4]! + 1}`, exclusive])
}

/** What stands between the pad length octet and the padding; undefined if they do not fit. */
function unpadded(flags: number, payload: Buffer): Buffer | undefined {
  if ((flags & Flag.PADDED) === 0) return payload
  const padLength = payload[0]
  if (padLength === undefined || padLength >= payload.length) return undefined
  return payload.subarray(1, payload.length - padLength)
}

/** The field block fragment of a frame; undefined if it has none, or no room for it. */
function fragmentOf(type: number, flags: number, payload: Buffer): Buffer | undefined {
  switch (type) {
    case FrameType.HEADERS:
      return after((flags & Flag.PRIORITY) === 0 ? 0 : 5, unpadded(flags, payload))
    case FrameType.PUSH_PROMISE:
      return after(4, unpadded(flags, payload))
    case FrameType.CONTINUATION:
      return payload
    default:
      return undefined
  }
}

function after(octets: number, contents: Buffer | undefined): Buffer | undefined {
  if (contents === undefined || contents.length < octets) return undefined
  return contents.subarray(octets)
}

function uint31(buf: Buffer, pos: number): number {
  return buf.readUInt32BE(pos) & 0x7fff_ffff
}

/** Printable ASCII in quotes, anything else a dot: no text can break out of quotes or line. */
function quote(octets: Buffer, maxBytes: number): string {
  const text = octets.toString('latin1', 0, maxBytes).replaceAll(/[^\x20-\x7e]|"/g, '.')
  return `"${text}"${octets.length > maxBytes ? '…' : ''}`
}

function hex(octets: Buffer, maxBytes: number): string {
  return `${octets.toString('hex', 0, maxBytes)}${octets.length > maxBytes ? '…' : ''}`
}

function join(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' ')
}
