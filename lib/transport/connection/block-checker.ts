// Remembers which header blocks passed which rules. The HPACK decoder gives equal blocks as one
// object, so a busy connection checks each kind of request once.
import type { HeaderBlock } from '../../hpack/index.ts'
import { contentLengthOf, NO_CONTENT_LENGTH } from '../stream/content-length.ts'
import { trimFieldWhitespace } from '../stream/header-rules.ts'

/** A rule for a block: a token when it is malformed. */
export type BlockRules = (block: HeaderBlock) => string | undefined

const SLOTS = 4

interface Checked {
  readonly raw: HeaderBlock
  readonly rules: BlockRules
  readonly block: HeaderBlock
  readonly token: string | undefined
  readonly contentLength: number
}

export class BlockChecker {
  /** The block of the last check as its owner shall see it. */
  public block!: HeaderBlock
  /** Its content-length, or NO_CONTENT_LENGTH. */
  public contentLength: number = NO_CONTENT_LENGTH
  private readonly trims: boolean
  private readonly slots = new Array<Checked | undefined>(SLOTS).fill(undefined)
  private next = 0

  /** `trims`: outer white space of a value is cut off instead of being a fault. */
  public constructor(trims: boolean) {
    this.trims = trims
  }

  /** The token of the rule that the block breaks; {@link BlockChecker.block} is set either way. */
  public check(raw: HeaderBlock, rules: BlockRules): string | undefined {
    for (let i = 0; i < SLOTS; i++) {
      const slot = this.slots[i]
      if (slot?.raw === raw && slot.rules === rules) {
        this.block = slot.block
        this.contentLength = slot.contentLength
        return slot.token
      }
    }
    let block = raw
    let token = rules(raw)
    if (token === 'field_value_outer_whitespace' && this.trims) {
      block = trimFieldWhitespace(raw)
      token = rules(block)
    }
    const contentLength = contentLengthOf(block.fields)
    this.slots[this.next] = { raw, rules, block, token, contentLength }
    this.next = (this.next + 1) % SLOTS
    this.block = block
    this.contentLength = contentLength
    return token
  }
}
