// Reading configuration: what fits is given, and of what does not the path is told.
import t from 'tap'
import { ConfigError, ConfigFields } from '../../lib/base/config-fields.ts'

const fields = (json: unknown): ConfigFields => new ConfigFields(json, 'lb')

t.test('fields of each kind are given, absent ones and null as undefined', async (t) => {
  const some = fields({
    s: 'x',
    b: false,
    n: 1.5,
    i: '7',
    d: '1.25s',
    o: { a: 1 },
    l: [1, 2],
    z: null,
  })
  t.equal(some.string('s'), 'x')
  t.equal(some.boolean('b'), false)
  t.equal(some.number('n', 0, 2), 1.5)
  t.equal(some.integer('i', 0, 7), 7, 'protobuf writes 64-bit numbers as strings')
  t.equal(some.durationMs('d'), 1250)
  t.strictSame(some.object('o')?.names, ['a'])
  t.strictSame(
    some.list('l', (value, path) => `${path}=${value}`),
    ['lb.l[0]=1', 'lb.l[1]=2'],
  )
  for (const name of ['z', 'absent', 'toString']) {
    t.equal(some.has(name), false)
    t.equal(some.string(name), undefined)
    t.equal(some.number(name, 0, 1), undefined)
    t.equal(some.durationMs(name), undefined)
    t.equal(some.object(name), undefined)
    t.equal(
      some.list(name, () => 0),
      undefined,
    )
  }
})

t.test('durations are as protobuf’s JSON has them', async (t) => {
  const rows: [string, number][] = [
    ['0s', 0],
    ['10s', 10_000],
    ['0.000001s', 0.001],
    ['3.5s', 3500],
  ]
  for (const [text, ms] of rows) t.equal(fields({ d: text }).durationMs('d'), ms, text)
  t.equal(fields({ d: '-1s' }).durationMs('d', -Infinity), -1000)
  for (const bad of ['1', '1ms', 's', '1.s', '1.0000000001s', '-1s', ' 1s', 5]) {
    t.throws(
      () => fields({ d: bad }).durationMs('d'),
      /^lb\.d: got .*, want a duration/,
      String(bad),
    )
  }
})

t.test('a map has keys of the writer’s choice', async (t) => {
  const json = { m: { a: { n: 1 }, b: { n: 2 } } }
  const read = (each: ConfigFields): number | undefined => each.number('n', 0, 9)
  t.strictSame(
    fields(json).required('m').map('m', read),
    new Map([
      ['a', 1],
      ['b', 2],
    ]),
  )
  t.equal(fields({}).map('m', read), undefined)
})

t.test('what does not fit is told with its path, what came and what was expected', async (t) => {
  const rows: [() => unknown, string][] = [
    [() => fields([]), 'lb: got [], want an object'],
    [() => fields('x'), 'lb: got "x", want an object'],
    [() => fields({ s: 1 }).string('s'), 'lb.s: got 1, want a string'],
    [() => fields({ b: 'true' }).boolean('b'), 'lb.b: got "true", want true or false'],
    [() => fields({ n: 3 }).number('n', 0, 2), 'lb.n: got 3, want a number from 0 to 2'],
    [() => fields({ n: 'x' }).number('n', 0, 2), 'lb.n: got "x", want a number from 0 to 2'],
    [() => fields({ n: 1.5 }).integer('n', 0, 2), 'lb.n: got 1.5, want a whole number'],
    [() => fields({ o: 1 }).object('o'), 'lb.o: got 1, want an object'],
    [
      () =>
        fields({ o: { p: 1 } })
          .object('o')
          ?.string('p'),
      'lb.o.p: got 1, want a string',
    ],
    [() => fields({ m: { k: 1 } }).map('m', () => 0), 'lb.m.k: got 1, want an object'],
    [() => fields({}).required('r'), 'lb.r: got nothing, want the field, which is required'],
    [() => fields({ l: {} }).list('l', () => 0), 'lb.l: got {}, want a list'],
    [() => new ConfigFields(1, ''), 'config: got 1, want an object'],
    [() => fields('y'.repeat(99)), `lb: got "${'y'.repeat(59)}…, want an object`],
  ]
  for (const [read, message] of rows) t.throws(read, new ConfigError(message))
})
