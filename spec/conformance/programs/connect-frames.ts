// The messages between connectconformance and a program under test: 4 octets of length, big-endian,
// then the message.
import type { Readable, Writable } from 'node:stream'

const LENGTH_BYTES = 4

/** The messages of a stream, each in memory of its own, until it ends. */
export async function* readFrames(stream: Readable): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk as Buffer])
    for (let end = frameEnd(rest); end <= rest.length; end = frameEnd(rest)) {
      yield rest.subarray(LENGTH_BYTES, end)
      rest = rest.subarray(end)
    }
  }
  if (rest.length > 0) throw new Error(`the input ends with ${rest.length} octets of a message`)
}

/** Where the frame at the start of `bytes` ends; beyond them also when its length is not there. */
function frameEnd(bytes: Buffer): number {
  return LENGTH_BYTES + (bytes.length < LENGTH_BYTES ? bytes.length : bytes.readUInt32BE(0))
}

/** Writes one message. */
export function writeFrame(stream: Writable, message: Buffer): void {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + message.length)
  frame.writeUInt32BE(message.length, 0)
  message.copy(frame, LENGTH_BYTES)
  stream.write(frame)
}
