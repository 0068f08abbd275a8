// The public HPACK stories, one test for each encoder.
import t from 'tap'
import { STORY_ENCODERS, storyBlocks, storyLists } from './stories.ts'

for (const encoder of STORY_ENCODERS) {
  t.test(`decodes the 1,466 blocks of ${encoder}`, async (t) => {
    const blocks = storyBlocks(encoder)
    for (const { check } of blocks) check()
    t.equal(blocks.length, 1466)
  })
}

t.test('hpack.js and ours decode the 1,466 lists that we encode', async (t) => {
  const lists = storyLists()
  for (const { check } of lists) check()
  t.equal(lists.length, 1466)
})
