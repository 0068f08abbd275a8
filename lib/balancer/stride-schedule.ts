// Turns by weight: a static stride schedule, in which a backend's turns are spread evenly and no state
// is kept but a counter. Source: gRFC A58, grpc-go weightedroundrobin scheduler.
import type { Random } from '../base/random.ts'

/** The weight of the heaviest; it is picked in every round. */
const FULL_WEIGHT = 0xffff
/** Shifts the rounds that neighbours sit out against each other. */
const OFFSET = 0x7fff

/** Goes through the backends in rounds; each sits out as many rounds as its weight is short of the full. */
export class StrideSchedule {
  /** Of FULL_WEIGHT, at least 1. */
  private shares: Uint16Array
  private index: number
  private round: number

  /** All backends weigh the same until `reweigh`. Begins anywhere, as many clients begin at once. */
  public constructor(count: number, random: Random) {
    this.shares = new Uint16Array(count).fill(FULL_WEIGHT)
    this.index = Math.floor(random() * count)
    this.round = Math.floor(random() * FULL_WEIGHT)
  }

  /** Takes a weight for each backend. One without any, 0, gets the mean; fewer than two: all the same. */
  public reweigh(weights: readonly number[]): void {
    const known = weights.filter((weight) => weight > 0)
    if (known.length < 2) {
      this.shares.fill(FULL_WEIGHT)
      return
    }
    const scale = FULL_WEIGHT / Math.max(...known)
    const mean = known.reduce((sum, weight) => sum + weight, 0) / known.length
    this.shares = Uint16Array.from(weights, (weight) =>
      Math.max(1, Math.round(scale * (weight > 0 ? weight : mean))),
    )
  }

  /** The backend whose turn it is, by its place in the list. */
  public next(): number {
    for (;;) {
      const { index, round } = this
      this.index++
      if (this.index === this.shares.length) {
        this.index = 0
        // The pattern repeats after that many rounds.
        this.round = (this.round + 1) % FULL_WEIGHT
      }
      const share = this.shares[index]!
      if ((share * round + index * OFFSET) % FULL_WEIGHT >= FULL_WEIGHT - share) return index
    }
  }
}
