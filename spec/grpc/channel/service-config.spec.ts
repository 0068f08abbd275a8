// Service configs: what is read, what is refused, and which method gets what.
import t from 'tap'
import { methodSettings, parseServiceConfig } from '../../../lib/grpc/channel/service-config.ts'

const RETRY = {
  maxAttempts: 4,
  initialBackoff: '0.1s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE', 10],
}

const inMethod = (fields: object): object => ({
  methodConfig: [{ name: [{ service: 's' }], ...fields }],
})

t.test('a config with every field, as an object and as JSON text', (t) => {
  const config = {
    loadBalancingConfig: [{ nobody_knows: {} }, { round_robin: {} }],
    loadBalancingPolicy: 'pick_first',
    methodConfig: [
      {
        name: [{ service: 'a.B', method: 'C' }],
        waitForReady: true,
        timeout: '1.5s',
        maxRequestMessageBytes: '1000',
        maxResponseMessageBytes: 2000,
        retryPolicy: RETRY,
      },
      {
        name: [{ service: 'a.B' }, {}],
        hedgingPolicy: { maxAttempts: 9, hedgingDelay: '0.25s', nonFatalStatusCodes: ['ABORTED'] },
      },
    ],
    retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
    healthCheckConfig: { serviceName: 'a.B' },
    fieldsOfTomorrow: [],
  }
  for (const parsed of [parseServiceConfig(config), parseServiceConfig(JSON.stringify(config))]) {
    t.equal(parsed.lbConfig?.builder.name, 'round_robin')
    t.strictSame(parsed.methods.get('/a.B/C'), {
      waitForReady: true,
      timeoutMs: 1500,
      maxRequestBytes: 1000,
      maxResponseBytes: 2000,
      attempts: {
        kind: 'retry',
        maxAttempts: 4,
        initialBackoffMs: 100,
        maxBackoffMs: 1000,
        backoffMultiplier: 2,
        retryableCodes: new Set([14, 10]),
      },
    })
    t.strictSame(parsed.methods.get('')?.attempts, {
      kind: 'hedging',
      maxAttempts: 5,
      delayMs: 250,
      nonFatalCodes: new Set([10]),
    })
    t.strictSame(parsed.retryThrottling, { maxTokens: 10, tokenRatio: 0.1 })
    t.strictSame(parsed.healthCheckConfig, { serviceName: 'a.B' })
  }
  t.end()
})

t.test('an empty config has no wishes', (t) => {
  for (const config of [{}, '{}', { methodConfig: [], loadBalancingConfig: null }]) {
    const parsed = parseServiceConfig(config)
    t.equal(parsed.lbConfig, undefined)
    t.equal(methodSettings(parsed, '/a.B/C'), undefined)
  }
  t.end()
})

t.test('the older name of a policy: in any case, and pick_first for one that is unknown', (t) => {
  const rows = { round_robin: 'round_robin', ROUND_ROBIN: 'round_robin', nobody: 'pick_first' }
  for (const [name, policy] of Object.entries(rows)) {
    t.equal(parseServiceConfig({ loadBalancingPolicy: name }).lbConfig?.builder.name, policy)
  }
  t.end()
})

t.test('a method gets what is said of itself, else of its service, else of all', (t) => {
  const timed = (timeout: string, ...name: object[]): object => ({ name, timeout })
  const config = parseServiceConfig({
    methodConfig: [
      timed('1s', { service: 'a.B', method: 'C' }),
      timed('2s', { service: 'a.B' }, { service: 'a.D', method: '' }),
      timed('3s', {}),
      { timeout: '4s' },
    ],
  })
  const rows: [string, number][] = [
    ['/a.B/C', 1000],
    ['/a.B/X', 2000],
    ['/a.D/C', 2000],
    ['/a.BB/C', 3000],
    ['/other/C', 3000],
  ]
  for (const [path, timeoutMs] of rows) {
    t.equal(methodSettings(config, path)?.timeoutMs, timeoutMs, path)
  }
  t.end()
})

t.test('a config that breaks a rule is refused, with the path of the field', (t) => {
  const retry = (change: object): object => inMethod({ retryPolicy: { ...RETRY, ...change } })
  const hedging = (policy: object): object => inMethod({ hedgingPolicy: policy })
  const policyPath = 'methodConfig\\[0\\]\\.retryPolicy'
  const rows: [unknown, RegExp][] = [
    ['{', /^config: got no JSON/],
    [7, /^config: got 7, want an object/],
    [{ loadBalancingConfig: {} }, /^loadBalancingConfig: got {}, want a list/],
    [{ loadBalancingConfig: [{ nobody: {} }] }, /^loadBalancingConfig: got nobody/],
    [{ loadBalancingPolicy: 1 }, /^loadBalancingPolicy: got 1/],
    [{ methodConfig: {} }, /^methodConfig: got {}, want a list/],
    [inMethod({ name: [1] }), /^methodConfig\[0\]\.name\[0\]: got 1/],
    [inMethod({ name: [{ method: 'x' }] }), /name\[0\]\.method: got "x", want none without/],
    [inMethod({ name: [{ service: 's' }, { service: 's' }] }), /name\[1\]: .*only once/],
    [inMethod({ waitForReady: 'yes' }), /^methodConfig\[0\]\.waitForReady: got "yes"/],
    [inMethod({ timeout: 1 }), /^methodConfig\[0\]\.timeout: got 1, want a duration/],
    [inMethod({ timeout: '-1s' }), /^methodConfig\[0\]\.timeout: got "-1s"/],
    [inMethod({ maxRequestMessageBytes: -1 }), /maxRequestMessageBytes: got -1/],
    [inMethod({ maxResponseMessageBytes: 'x' }), /maxResponseMessageBytes: got "x"/],
    [retry({ maxAttempts: 1 }), new RegExp(`^${policyPath}\\.maxAttempts: got 1`)],
    [retry({ maxAttempts: undefined }), /maxAttempts: got undefined, want a number from 2/],
    [retry({ maxAttempts: 2.5 }), /maxAttempts: got 2.5, want a whole number/],
    [retry({ initialBackoff: '0s' }), /initialBackoff: got "0s", want more than 0/],
    [retry({ maxBackoff: undefined }), /maxBackoff: got undefined, want more than 0/],
    [retry({ backoffMultiplier: 0 }), /backoffMultiplier: got 0, want more than 0/],
    [retry({ retryableStatusCodes: [] }), /retryableStatusCodes: got \[\], want at least one/],
    [retry({ retryableStatusCodes: undefined }), /retryableStatusCodes: .*at least one/],
    [retry({ retryableStatusCodes: ['NO'] }), /retryableStatusCodes\[0\]: got "NO", want a status/],
    [retry({ retryableStatusCodes: [17] }), /retryableStatusCodes\[0\]: got 17/],
    [hedging({}), /hedgingPolicy\.maxAttempts: got undefined/],
    [hedging({ maxAttempts: 2, hedgingDelay: '-1s' }), /hedgingDelay: got "-1s"/],
    [hedging({ maxAttempts: 2, nonFatalStatusCodes: [{}] }), /nonFatalStatusCodes\[0\]: got {}/],
    [
      inMethod({ retryPolicy: RETRY, hedgingPolicy: { maxAttempts: 2 } }),
      /hedgingPolicy: .*none beside a retryPolicy/,
    ],
    [{ retryThrottling: { maxTokens: 0, tokenRatio: 1 } }, /^retryThrottling\.maxTokens: got 0/],
    [{ retryThrottling: { maxTokens: 1001, tokenRatio: 1 } }, /maxTokens: got 1001/],
    [{ retryThrottling: { maxTokens: 10 } }, /^retryThrottling\.tokenRatio: got undefined/],
    [{ healthCheckConfig: { serviceName: 1 } }, /^healthCheckConfig\.serviceName: got 1/],
  ]
  for (const [config, message] of rows) {
    t.throws(() => parseServiceConfig(config), { name: 'ConfigError', message }, String(message))
  }
  t.end()
})

t.test('the same name in two method configs is refused', (t) => {
  const config = { methodConfig: [{ name: [{}] }, { name: [{ service: '' }] }] }
  t.throws(() => parseServiceConfig(config), /^methodConfig\[1\]\.name\[0\]: got/)
  t.end()
})
