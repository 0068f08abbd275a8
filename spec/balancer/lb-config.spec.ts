// Which policy a service config asks for.
import t from 'tap'
import { parseLbConfig, pickFirst, roundRobin } from '../../lib/balancer/index.ts'

t.test('the first policy that is known is taken, with its config', async (t) => {
  t.strictSame(parseLbConfig([{ round_robin: {} }], 'lb'), {
    builder: roundRobin,
    config: undefined,
  })
  t.strictSame(
    parseLbConfig([{ of_tomorrow: { x: 1 } }, { pick_first: { shuffleAddressList: true } }], 'lb'),
    { builder: pickFirst, config: { shuffleAddressList: true } },
  )
  t.strictSame(parseLbConfig([{ pick_first: null }], 'lb').config, { shuffleAddressList: false })
})

t.test('what asks for no policy is refused', async (t) => {
  const rows: [unknown, string][] = [
    [{}, 'lb: got {}, want a list of policies'],
    [[], 'lb: got no policy, want one that is known'],
    [[{ x: {} }, { y: {} }], 'lb: got x, y, want one that is known'],
    [[{}], 'lb[0]: got {}, want one policy by its name'],
    [
      [{ x: {}, round_robin: {} }],
      'lb[0]: got {"x":{},"round_robin":{}}, want one policy by its name',
    ],
    [[{ pick_first: [] }], 'lb[0].pick_first: got [], want an object'],
    [
      [{ pick_first: { shuffleAddressList: 1 } }],
      'lb[0].pick_first.shuffleAddressList: got 1, want true or false',
    ],
  ]
  for (const [json, message] of rows) t.throws(() => parseLbConfig(json, 'lb'), { message })
})
