import t from 'tap'
import { selectServiceConfig } from '../../lib/naming/txt-service-config.ts'

const CLIENT = { hostname: 'me', percentile: 49.9 }
const config = (choices: unknown): string[] => [`grpc_config=${JSON.stringify(choices)}`]
const C = { c: 1 }
const D = { d: 1 }

const CHOSEN: readonly (readonly [name: string, choices: unknown, config: unknown])[] = [
  ['the first choice wins', [{ serviceConfig: C }, { serviceConfig: D }], C],
  ['an empty list has no config', [], undefined],
  ['a config may be empty', [{ serviceConfig: {} }], {}],
  ['node is us', [{ clientLanguage: ['node'], serviceConfig: C }], C],
  [
    'so is typescript, in any case',
    [{ clientLanguage: ['go', 'TypeScript'], serviceConfig: C }],
    C,
  ],
  [
    'other languages are not',
    [{ clientLanguage: ['go', 'java'], serviceConfig: C }, { serviceConfig: D }],
    D,
  ],
  ['an empty list of languages is everybody', [{ clientLanguage: [], serviceConfig: C }], C],
  ['our host', [{ clientHostname: ['you', 'me'], serviceConfig: C }], C],
  ['our host as grpc-go spells it', [{ clientHostName: ['me'], serviceConfig: C }], C],
  ['hosts have capital letters', [{ clientHostname: ['Me'], serviceConfig: C }], undefined],
  ['an empty list of hosts is everybody', [{ clientHostname: [], serviceConfig: C }], C],
  ['more than our percentile', [{ percentage: 50, serviceConfig: C }], C],
  ['less than our percentile', [{ percentage: 49, serviceConfig: C }], undefined],
  ['all must fit', [{ percentage: 100, clientHostname: ['you'], serviceConfig: C }], undefined],
]

for (const [name, choices, serviceConfig] of CHOSEN) {
  t.test(name, async (t) => {
    t.strictSame(
      selectServiceConfig(config(choices), CLIENT),
      serviceConfig === undefined ? {} : { serviceConfig },
    )
  })
}

t.test('0 % is nobody, 100 % everybody', async (t) => {
  const chosen = (percentage: number, percentile: number): unknown =>
    selectServiceConfig(config([{ percentage, serviceConfig: C }]), { hostname: '', percentile })
  t.strictSame(chosen(0, 0), {})
  t.strictSame(chosen(100, 99.999), { serviceConfig: C })
})

const WRONG: readonly (readonly [choices: unknown, message: string])[] = [
  [{ serviceConfig: C }, 'choices: got {"serviceConfig":{"c":1}}, want a list'],
  [null, 'choices: got null, want a list'],
  [[1], 'choices[0]: got 1, want an object'],
  [[{}], 'choices[0].serviceConfig: got undefined, want an object'],
  [[{ serviceConfig: [] }], 'choices[0].serviceConfig: got [], want an object'],
  [[{ serviceConfig: C, other: 1 }], 'choices[0]: got "other", want clientLanguage, '],
  [[{ serviceConfig: C, constructor: 1 }], 'choices[0]: got "constructor", want '],
  [[{ serviceConfig: C, percentage: true }], 'choices[0].percentage: got true, want '],
  [[{ serviceConfig: C, percentage: 101 }], 'choices[0].percentage: got 101, want '],
  [[{ serviceConfig: C, percentage: 1.5 }], 'choices[0].percentage: got 1.5, want '],
  [[{ serviceConfig: C, percentage: -1 }], 'choices[0].percentage: got -1, want '],
  [[{ serviceConfig: C, clientLanguage: 'node' }], 'choices[0].clientLanguage: got "node", want '],
  [[{ serviceConfig: C, clientHostname: [1] }], 'choices[0].clientHostname[0]: got 1, want '],
  // the first would be chosen, but what one client refuses all of them do
  [[{ serviceConfig: C }, { percentage: 5 }], 'choices[1].serviceConfig: got undefined, want '],
]

for (const [choices, message] of WRONG) {
  t.test(`${JSON.stringify(choices)} is refused`, async (t) => {
    const { serviceConfig, serviceConfigError } = selectServiceConfig(config(choices), CLIENT)
    t.equal(serviceConfig, undefined)
    t.equal(serviceConfigError?.code, 14)
    t.equal(serviceConfigError?.message.startsWith(`txt_config: ${message}`), true)
  })
}

t.test('records of others do not count', async (t) => {
  t.strictSame(selectServiceConfig([], CLIENT), {})
  t.strictSame(selectServiceConfig(['v=spf1', 'GRPC_CONFIG=[', ' grpc_config=['], CLIENT), {})
  t.strictSame(selectServiceConfig(['v=spf1', ...config([{ serviceConfig: C }])], CLIENT), {
    serviceConfig: C,
  })
})

t.test('what is no JSON is refused', async (t) => {
  for (const text of ['grpc_config=', 'grpc_config=[{"serviceConfig":{}']) {
    t.match(
      selectServiceConfig([text], CLIENT).serviceConfigError?.message,
      /^txt_config: want JSON /,
    )
  }
})
