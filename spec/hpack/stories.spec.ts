// The public HPACK stories (spec/vectors/hpack-test-case): blocks of three encoders decoded, and
// the raw lists encoded by ours and decoded by hpack.js and by ours.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { HpackDecoder, HpackEncoder } from '../../lib/hpack/index.ts'
import { decodeBlock, encodeBlock, OracleDecoder, octets } from './support.ts'

const FOLDER = 'spec/vectors/hpack-test-case'

interface Case {
  readonly header_table_size?: number
  readonly wire: string
  readonly headers: readonly Record<string, string>[]
}

function storiesOf(encoder: string): Map<string, readonly Case[]> {
  const stories = new Map<string, readonly Case[]>()
  for (const name of readdirSync(`${FOLDER}/${encoder}`)) {
    const story = JSON.parse(readFileSync(`${FOLDER}/${encoder}/${name}`, 'utf8'))
    stories.set(name, story.cases)
  }
  return stories
}

const fieldsOf = ({ headers }: Case): string[] =>
  headers.flatMap((field) => Object.entries(field)[0]!)

for (const encoder of ['nghttp2', 'nghttp2-change-table-size', 'haskell-http2-linear-huffman']) {
  t.test(`decodes the 1,466 blocks of ${encoder}`, async (t) => {
    let blocks = 0
    for (const [name, cases] of storiesOf(encoder)) {
      const decoder = new HpackDecoder()
      const decoded = cases.map(({ header_table_size: tableBytes, wire }) => {
        if (tableBytes !== undefined) decoder.setMaxTableBytes(tableBytes)
        return decodeBlock(decoder, octets(wire)).fields
      })
      t.same(decoded, cases.map(fieldsOf), name)
      blocks += decoded.length
    }
    t.equal(blocks, 1466)
  })
}

t.test('hpack.js and ours decode the 1,466 lists that we encode', async (t) => {
  let lists = 0
  for (const [name, cases] of storiesOf('raw-data')) {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder()
    const oracle = new OracleDecoder()
    const wanted = cases.map(fieldsOf)
    const blocks = wanted.map((fields) => encodeBlock(encoder, fields))
    t.same(
      blocks.map((block) => oracle.decode(block)),
      wanted,
      `${name} by hpack.js`,
    )
    t.same(
      blocks.map((block) => decodeBlock(decoder, block).fields),
      wanted,
      `${name} by ours`,
    )
    t.equal(encoder.tableBytes, decoder.tableBytes, `${name}: the tables are of one size`)
    lists += blocks.length
  }
  t.equal(lists, 1466)
})
