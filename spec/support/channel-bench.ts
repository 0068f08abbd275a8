// A channel with a scripted policy on a fake clock and fake transports.
import { ClientConn } from '../../lib/grpc/channel/client-conn.ts'
import { ManualResolver } from '../../lib/naming/index.ts'
import { FakeClock } from '../../lib/testing/index.ts'
import { FakeNetwork, type FakeTransport, settle } from './fake-network.ts'
import { type Script, ScriptedBalancer } from './scripted-balancer.ts'

/** The channel connects at once: its policy is built by the first `resolve`. */
export class ChannelBench {
  public readonly clock: FakeClock = new FakeClock()
  public readonly network: FakeNetwork = new FakeNetwork()
  public readonly names: ManualResolver
  public readonly policy: ScriptedBalancer
  public readonly conn: ClientConn
  /** How often the resolver was asked again. */
  public resolveNows = 0

  public constructor(script: Script = {}) {
    this.names = new ManualResolver('spec', {
      resolveNow: () => {
        this.resolveNows += 1
      },
    })
    this.policy = new ScriptedBalancer(script)
    this.conn = new ClientConn(
      'spec:x',
      { resolvers: [this.names], balancer: this.policy },
      { connect: this.network.connect, clock: this.clock, random: () => 0.5 },
    )
    this.conn.connect()
  }

  public async resolve(...addresses: string[]): Promise<void> {
    this.names.newAddress(addresses.map((address) => ({ address })))
    await settle()
  }

  /** The newest attempt's peer is ready. */
  public async accept(): Promise<FakeTransport> {
    const transport = this.network.last.accept()
    await settle()
    return transport
  }
}
