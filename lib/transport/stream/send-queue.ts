// What one stream has yet to put on the wire, in order: headers, data, trailers.

/** What an item of the queue is. */
export const SendKind = { Headers: 0, Data: 1 } as const
export type SendKind = (typeof SendKind)[keyof typeof SendKind]

const NO_BYTES = Buffer.alloc(0)
const NO_FIELDS: readonly string[] = []

/** One frame's worth of headers, or any amount of data. */
export class SendItem {
  public readonly kind: SendKind
  public endStream: boolean
  public readonly fields: readonly string[]
  public readonly extraFields: readonly string[] | undefined
  public readonly buf: Buffer
  public start: number
  public readonly end: number
  public next: SendItem | undefined

  private constructor(
    kind: SendKind,
    endStream: boolean,
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
    buf: Buffer,
    start: number,
    end: number,
  ) {
    this.kind = kind
    this.endStream = endStream
    this.fields = fields
    this.extraFields = extraFields
    this.buf = buf
    this.start = start
    this.end = end
    this.next = undefined
  }

  public static headers(
    fields: readonly string[],
    extraFields: readonly string[] | undefined,
    endStream: boolean,
  ): SendItem {
    return new SendItem(SendKind.Headers, endStream, fields, extraFields, NO_BYTES, 0, 0)
  }

  /** Data that the queue owns from now on. */
  public static data(buf: Buffer, start: number, end: number, endStream: boolean): SendItem {
    return new SendItem(SendKind.Data, endStream, NO_FIELDS, undefined, buf, start, end)
  }
}

/** A first-in first-out list of {@link SendItem}. */
export class SendQueue {
  public head: SendItem | undefined
  private tail: SendItem | undefined

  public push(item: SendItem): void {
    if (this.tail === undefined) this.head = item
    else this.tail.next = item
    this.tail = item
  }

  public shift(): void {
    this.head = this.head?.next
    if (this.head === undefined) this.tail = undefined
  }

  /** Ends the stream with the last queued data, if it is last: saves an empty DATA frame. */
  public endWithLastData(): boolean {
    if (this.tail === undefined || this.tail.kind !== SendKind.Data) return false
    this.tail.endStream = true
    return true
  }
}
