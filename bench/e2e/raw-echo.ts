// What both ends of the raw TCP echo share: octets in, whole messages counted, as many messages out.

/** The octets of a call in each direction. */
export interface RawSizes {
  readonly requestBytes: number
  readonly responseBytes: number
}

const MOST_AT_ONCE = 1_024

/** What to write after a read of so many octets; undefined for nothing. */
export type Replier = (octetsRead: number) => Buffer | undefined

/** The server's end. */
export function responsesTo({ requestBytes, responseBytes }: RawSizes): Replier {
  return replier(requestBytes, messagesOf(responseBytes))
}

/** Views of one memory, made once, for the octets of any number of messages. */
export function messagesOf(messageBytes: number): readonly Buffer[] {
  const known = messages.get(messageBytes)
  if (known !== undefined) return known
  const all = Buffer.alloc(messageBytes * MOST_AT_ONCE, 'framewright')
  const views = Array.from({ length: MOST_AT_ONCE + 1 }, (_, n) =>
    all.subarray(0, n * messageBytes),
  )
  messages.set(messageBytes, views)
  return views
}

const messages = new Map<number, readonly Buffer[]>()

function replier(messageBytes: number, replies: readonly Buffer[]): Replier {
  let pending = 0
  return (octetsRead) => {
    pending += octetsRead
    const whole = Math.floor(pending / messageBytes)
    pending -= whole * messageBytes
    return whole === 0 ? undefined : replies[whole]
  }
}
