// updateAddresses and connect: the SubConn of a policy, and the AddrConn that it owns.
import t from 'tap'
import type { SubConn } from '../../lib/balancer/index.ts'
import { AcBalancerWrapper } from '../../lib/grpc/channel/ac-balancer-wrapper.ts'
import { AddrConn } from '../../lib/grpc/channel/addr-conn.ts'
import { Connector } from '../../lib/grpc/channel/connector.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeNetwork, settle } from '../support/fake-network.ts'

class Bench {
  public readonly network = new FakeNetwork()
  public readonly log: string[] = []
  public readonly wrapper: AcBalancerWrapper
  /** As a policy holds it. */
  public readonly subConn: SubConn

  public constructor(...addresses: string[]) {
    const connector = new Connector({
      connect: this.network.connect,
      clock: new FakeClock(),
      random: () => 0.5,
      authority: 'spec',
    })
    const addrConn = new AddrConn(
      addresses.map((address) => ({ address })),
      connector,
      {
        stateChanged() {},
        resolveNow() {},
        usable() {},
        gone() {},
      },
    )
    this.wrapper = new AcBalancerWrapper(
      addrConn,
      (callback) => callback(),
      ({ state }) => this.log.push(state),
    )
    this.subConn = this.wrapper
  }
}

t.test('connect makes the connection that the picker wrapper finds', async (t) => {
  const { subConn, wrapper, network } = new Bench('a:1')
  t.equal(wrapper.getReadyTransport(), undefined)
  subConn.connect()
  const transport = network.last.accept()
  await settle()
  t.equal(wrapper.getReadyTransport(), transport)
})

t.test('updateAddresses: an address that stays keeps its connection', async (t) => {
  const { subConn, wrapper, network, log } = new Bench('a:1', 'b:1')
  subConn.connect()
  network.last.refuse()
  await settle()
  const transport = network.last.accept()
  await settle()
  subConn.updateAddresses([{ address: 'c:1' }, { address: 'b:1' }])
  t.equal(wrapper.getReadyTransport(), transport)
  t.strictSame(log, ['CONNECTING', 'READY'])
})

t.test('updateAddresses: an address that goes has its connection replaced', async (t) => {
  const { subConn, wrapper, network, log } = new Bench('a:1')
  subConn.connect()
  const first = network.last.accept()
  await settle()
  first.openStream()
  subConn.updateAddresses([{ address: 'c:1' }])
  const second = network.last.accept()
  await settle()
  t.equal(wrapper.getReadyTransport(), second)
  t.equal(second.peer.address, 'c:1')
  t.equal(first.closed, false, 'its calls finish')
  first.endStream()
  t.equal(first.closed, true)
  t.strictSame(log, ['CONNECTING', 'READY', 'CONNECTING', 'READY'])
})

t.test('shutdown is final', async (t) => {
  const { subConn, wrapper, network, log } = new Bench('a:1')
  subConn.connect()
  network.last.accept()
  await settle()
  subConn.shutdown()
  subConn.shutdown()
  subConn.connect()
  t.equal(wrapper.getReadyTransport(), undefined)
  t.strictSame(log, ['CONNECTING', 'READY', 'SHUTDOWN'])
})
