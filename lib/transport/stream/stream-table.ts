// activeStreams: from a stream identifier to its stream.
//
// Identifiers of one side grow by two, so the open ones lie close together: `id >> 1` modulo the
// capacity is a slot of its own for almost all of them. Two that meet (a long-lived stream and a
// young one) double the table while it is well filled; otherwise the older goes to a side map.
import type { Stream } from './stream.ts'

const FIRST_CAPACITY = 8

export class StreamTable {
  /** Streams in the table. */
  public size = 0
  private slots: (Stream | undefined)[] = []
  private mask = -1
  private overflow: Map<number, Stream> | undefined

  public get(id: number): Stream | undefined {
    const stream = this.slots[(id >>> 1) & this.mask]
    if (stream !== undefined && stream.id === id) return stream
    return this.overflow?.get(id)
  }

  /** Adds a stream whose id is not in the table. */
  public add(stream: Stream): void {
    this.size++
    this.place(stream)
  }

  /** Removes a stream that is in the table. */
  public remove(stream: Stream): void {
    const at = (stream.id >>> 1) & this.mask
    if (this.slots[at] === stream) this.slots[at] = undefined
    else this.overflow?.delete(stream.id)
    this.size--
    if (this.size === 0) this.shrink()
  }

  /** Every stream at the time of the call, in no order; the table may change while it is used. */
  public list(): Stream[] {
    const streams = this.slots.filter((stream) => stream !== undefined)
    if (this.overflow !== undefined) streams.push(...this.overflow.values())
    return streams
  }

  private place(stream: Stream): void {
    const at = (stream.id >>> 1) & this.mask
    const present = this.slots[at]
    if (present === undefined && this.mask >= 0) {
      this.slots[at] = stream
      return
    }
    if (this.size * 2 > this.slots.length) {
      this.grow()
      this.place(stream)
      return
    }
    this.overflow ??= new Map()
    this.overflow.set(present!.id, present!)
    this.slots[at] = stream
  }

  private grow(): void {
    const streams = this.list()
    const capacity = Math.max(FIRST_CAPACITY, this.slots.length * 2)
    this.slots = new Array<Stream | undefined>(capacity).fill(undefined)
    this.mask = capacity - 1
    this.overflow = undefined
    for (const stream of streams) this.place(stream)
  }

  // A burst must not leave its table behind on a connection that has gone quiet.
  private shrink(): void {
    this.overflow = undefined
    if (this.slots.length <= 1024) return
    this.slots = []
    this.mask = -1
  }
}
