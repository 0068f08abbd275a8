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

const WRONG: readonly (readonly [choices: unknown, message: RegExp])[] = [
  [{ serviceConfig: C }, /^txt_config_choice: .*want a list of choices$/],
  [null, /want a list/],
  [[1], /got 1 for choices\[0\], want an object/],
  [[{}], /got nothing for choices\[0\].serviceConfig, want an object/],
  [[{ serviceConfig: [] }], /got \[\] for choices\[0\].serviceConfig, want an object/],
  [[{ serviceConfig: C, other: 1 }], /got "other" for choices\[0\], want one of clientLanguage, /],
  [[{ serviceConfig: C, constructor: 1 }], /got "constructor"/],
  [[{ serviceConfig: C, percentage: '5' }], /got "5" .*want a whole number from 0 to 100/],
  [[{ serviceConfig: C, percentage: 101 }], /got 101/],
  [[{ serviceConfig: C, percentage: 1.5 }], /got 1.5/],
  [[{ serviceConfig: C, percentage: -1 }], /got -1/],
  [[{ serviceConfig: C, clientLanguage: 'node' }], /want a list of strings/],
  [[{ serviceConfig: C, clientHostname: [1] }], /want a list of strings/],
  // the first would be chosen, but what one client refuses all of them do
  [[{ serviceConfig: C }, { percentage: 5 }], /choices\[1\].serviceConfig/],
]

for (const [choices, message] of WRONG) {
  t.test(`${JSON.stringify(choices)} is refused`, async (t) => {
    const { serviceConfig, serviceConfigError } = selectServiceConfig(config(choices), CLIENT)
    t.equal(serviceConfig, undefined)
    t.match(serviceConfigError, { code: 14, message })
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
    t.match(selectServiceConfig([text], CLIENT).serviceConfigError?.message, /^txt_config_json: /)
  }
})
