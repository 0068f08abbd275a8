// The way of an address: resolver.ClientConn.newAddress -> ccResolverWrapper -> handleResolvedAddrs
// -> balancer -> cc.newSubConn -> a connection.
import t from 'tap'
import { type Balancer, type BalancerBuilder, pickFirst } from '../../lib/balancer/index.ts'
import { CcBalancerWrapper } from '../../lib/grpc/channel/cc-balancer-wrapper.ts'
import { CcResolverWrapper } from '../../lib/grpc/channel/cc-resolver-wrapper.ts'
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import type { ResolverBuilder, ResolverClientConn } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeCall } from '../support/fake-call.ts'
import { FakeNetwork, settle } from '../support/fake-network.ts'

/** Logs when a method of a class is entered. */
function watch(prototype: object, name: string, line: string, log: string[]): () => void {
  const methods = prototype as Record<string, (...args: unknown[]) => unknown>
  const original = methods[name]
  if (original === undefined) throw new Error(`there is no method ${name}`)
  methods[name] = function (this: unknown, ...args: unknown[]) {
    log.push(line)
    return original.apply(this, args)
  }
  return () => {
    methods[name] = original
  }
}

t.test('an address goes from the resolver to a connection in exactly these steps', async (t) => {
  const log: string[] = []
  const network = new FakeNetwork()
  let resolverConn: ResolverClientConn | undefined

  const names: ResolverBuilder = {
    scheme: 'chain',
    build(_target, cc) {
      resolverConn = cc
      return { resolveNow() {}, close() {} }
    },
  }
  const policy: BalancerBuilder = {
    name: 'chain',
    build(cc, options) {
      log.push('balancer is built')
      const inner = pickFirst.build(cc, options)
      return {
        handleResolvedAddrs(resolved) {
          log.push('balancer.handleResolvedAddrs')
          return inner.handleResolvedAddrs(resolved, undefined)
        },
        resolverError: (status) => inner.resolverError(status),
        handleSubConnStateChange(subConn, change) {
          log.push(`balancer.handleSubConnStateChange ${change.state}`)
          inner.handleSubConnStateChange(subConn, change)
        },
        exitIdle: () => inner.exitIdle(),
        close: () => inner.close(),
      } satisfies Balancer
    },
  }
  for (const undo of [
    watch(CcResolverWrapper.prototype, 'newAddress', 'ccResolverWrapper.newAddress', log),
    watch(ClientConn.prototype, 'handleResolvedAddrs', 'clientConn.handleResolvedAddrs', log),
    watch(
      CcBalancerWrapper.prototype,
      'handleResolvedAddrs',
      'ccBalancerWrapper.handleResolvedAddrs',
      log,
    ),
    watch(CcBalancerWrapper.prototype, 'newSubConn', 'cc.newSubConn', log),
    watch(
      CcBalancerWrapper.prototype,
      'updateBalancerState',
      'ccBalancerWrapper.updateBalancerState',
      log,
    ),
  ]) {
    t.teardown(undo)
  }

  const conn = new ClientConn(
    'chain:x',
    { resolvers: [names], balancer: policy },
    { connect: network.connect, clock: new FakeClock() },
  )
  const call = new FakeCall()
  conn.pick(call)
  t.strictSame(log, [], 'until the resolver answers nothing happens')

  resolverConn?.newAddress([{ address: 'a:1' }])
  t.strictSame(log.splice(0), ['ccResolverWrapper.newAddress'], 'the resolver’s turn ends here')
  await settle()
  t.strictSame(log.splice(0), [
    'clientConn.handleResolvedAddrs',
    'ccBalancerWrapper.handleResolvedAddrs',
    'balancer is built',
    'balancer.handleResolvedAddrs',
    'ccBalancerWrapper.updateBalancerState',
    'cc.newSubConn',
    'balancer.handleSubConnStateChange CONNECTING',
  ])
  t.strictSame(network.addresses, ['a:1'])

  network.last.accept()
  await settle()
  t.strictSame(log.splice(0), [
    'balancer.handleSubConnStateChange READY',
    'ccBalancerWrapper.updateBalancerState',
  ])
  t.strictSame(call.log, ['a:1'])

  resolverConn?.newAddress([{ address: 'b:1' }])
  resolverConn?.newAddress([{ address: 'a:1' }, { address: 'b:1' }])
  await settle()
  t.strictSame(log, [
    'ccResolverWrapper.newAddress',
    'ccResolverWrapper.newAddress',
    'clientConn.handleResolvedAddrs',
    'ccBalancerWrapper.handleResolvedAddrs',
    'balancer.handleResolvedAddrs',
  ])
  t.equal(network.attempts.length, 1, 'the newest list wins: its first one was never looked at')
  conn.close()
})
