// Runs the encoders and decoders of protobufjs in place: into a ByteSink, out of a range of a read
// buffer, with bigint for 64-bit integers.
import type protobuf from 'protobufjs'
import type { ByteSink } from '../../base/byte-sink.ts'
import { protobufjs } from './protobufjs.ts'

/** Byte fields from this size on are views when the memory is owned: below, a copy pins less. */
const VIEW_BYTES = 1024
const NOTHING = Buffer.alloc(0)
const LONG_TYPES = ['int64', 'uint64', 'sint64', 'fixed64', 'sfixed64'] as const

/** A 64-bit integer as protobufjs takes it, beside numbers. */
interface Halves {
  readonly low: number
  readonly high: number
  readonly unsigned?: boolean
}

interface RangeReader extends protobuf.Reader {
  owned: boolean
}

/** Taken while in use, and gone after an error, which may leave them in any state. */
let idleWriter: protobuf.Writer | undefined
let idleReader: RangeReader | undefined
let classes: ReturnType<typeof makeClasses> | undefined

/** Appends a message that `compileCheck` passed. */
export function encodeInto(type: protobuf.Type, message: object, sink: ByteSink): void {
  classes ??= makeClasses()
  const writer = idleWriter ?? new classes.SinkWriter()
  idleWriter = undefined
  writer.buf = sink.buf
  writer.pos = sink.pos
  type.encode(message, writer)
  sink.buf = writer.buf as Buffer
  sink.pos = writer.pos
  writer.buf = NOTHING
  writer.view = null
  idleWriter = writer
}

/** Decodes `buf[start, end)`. Byte fields are copies; large ones are views when the range is `owned`. */
export function decodeRange(
  type: protobuf.Type,
  buf: Buffer,
  start: number,
  end: number,
  owned: boolean,
): object {
  classes ??= makeClasses()
  const reader = idleReader ?? new classes.RangeReader(NOTHING)
  idleReader = undefined
  reader.buf = buf
  reader.pos = start
  reader.len = end
  reader.owned = owned
  const message = type.decode(reader)
  reader.buf = NOTHING
  reader.view = null
  idleReader = reader
  return message
}

/** Subclasses of what protobufjs has, which is not there before it is loaded. */
function makeClasses() {
  const { BufferReader, BufferWriter } = protobufjs()

  class SinkWriter extends BufferWriter {
    /** How the writer grows its memory: the sink gives it away, so it cannot be shared. */
    public static override alloc(size: number): Buffer {
      return Buffer.allocUnsafeSlow(size)
    }
  }

  class RangeReader extends BufferReader {
    public owned = false

    public override bytes(): Buffer {
      const octets = this.size()
      const start = this.pos
      this.skip(octets)
      if (this.owned && octets >= VIEW_BYTES) return (this.buf as Buffer).subarray(start, this.pos)
      const copy = Buffer.allocUnsafe(octets)
      ;(this.buf as Buffer).copy(copy, 0, start, this.pos)
      return copy
    }
  }

  for (const type of LONG_TYPES) {
    const read = BufferReader.prototype[type] as () => Halves
    const write = BufferWriter.prototype[type] as (value: unknown) => protobuf.Writer
    const packed = `${type}s` as const
    const writeAll = BufferWriter.prototype[packed] as (values: unknown) => protobuf.Writer
    Object.assign(RangeReader.prototype, {
      [type](this: RangeReader) {
        return toBigint(read.call(this))
      },
    })
    Object.assign(SinkWriter.prototype, {
      [type](this: SinkWriter, value: unknown) {
        return write.call(this, toHalves(value))
      },
      [packed](this: SinkWriter, values: ArrayLike<unknown>) {
        return writeAll.call(this, Array.from(values, toHalves))
      },
    })
  }
  return { SinkWriter, RangeReader }
}

const scratch = new DataView(new ArrayBuffer(8))

/** The value of a Long. */
export function toBigint({ low, high, unsigned }: Halves): bigint {
  scratch.setInt32(0, high)
  scratch.setInt32(4, low)
  return unsigned === true ? scratch.getBigUint64(0) : scratch.getBigInt64(0)
}

function toHalves(value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  scratch.setBigInt64(0, value)
  return { low: scratch.getInt32(4), high: scratch.getInt32(0) }
}
