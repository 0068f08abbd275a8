// The public HPACK stories (spec/vectors/hpack-test-case) as checks: blocks of three encoders decoded,
// and the raw lists encoded by ours and decoded by hpack.js and by ours.
import { deepStrictEqual, equal } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { HpackDecoder, HpackEncoder } from '../../lib/hpack/index.ts'
import { decodeBlock, encodeBlock, OracleDecoder, octets } from './support.ts'

const FOLDER = 'spec/vectors/hpack-test-case'

/** Encoders whose blocks are there, 1,466 each. */
export const STORY_ENCODERS = [
  'nghttp2',
  'nghttp2-change-table-size',
  'haskell-http2-linear-huffman',
] as const

/** One block or list by name; `check` throws what differs. To be checked in order. */
export interface StoryCase {
  readonly name: string
  readonly check: () => void
}

interface RecordedCase {
  readonly header_table_size?: number
  readonly wire: string
  readonly headers: readonly Record<string, string>[]
}

/** Blocks of an encoder: our decoder reads the fields that the story tells. */
export function storyBlocks(encoder: (typeof STORY_ENCODERS)[number]): StoryCase[] {
  return storiesOf(encoder).flatMap(([story, cases]) => {
    const decoder = new HpackDecoder()
    return cases.map((one, i) => ({
      name: `${encoder} ${story} ${i}`,
      check: () => {
        if (one.header_table_size !== undefined) decoder.setMaxTableBytes(one.header_table_size)
        deepStrictEqual(decodeBlock(decoder, octets(one.wire)).fields, fieldsOf(one))
      },
    }))
  })
}

/** Lists: hpack.js and our decoder read the fields from the block that our encoder makes. */
export function storyLists(): StoryCase[] {
  return storiesOf('raw-data').flatMap(([story, cases]) => {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    const oracle = new OracleDecoder()
    return cases.map((one, i) => ({
      name: `raw-data ${story} ${i}`,
      check: () => {
        const fields = fieldsOf(one)
        const block = encodeBlock(encoder, fields)
        deepStrictEqual(oracle.decode(block), fields, 'by hpack.js')
        deepStrictEqual(decodeBlock(decoder, block).fields, fields, 'by ours')
        equal(encoder.tableBytes, decoder.tableBytes, 'the tables are of one size')
      },
    }))
  })
}

function storiesOf(encoder: string): [story: string, cases: readonly RecordedCase[]][] {
  return readdirSync(`${FOLDER}/${encoder}`)
    .sort()
    .map((file) => {
      const { cases } = JSON.parse(readFileSync(`${FOLDER}/${encoder}/${file}`, 'utf8'))
      return [file.replace('.json', ''), cases]
    })
}

function fieldsOf({ headers }: RecordedCase): string[] {
  return headers.flatMap((field) => Object.entries(field)[0]!)
}
