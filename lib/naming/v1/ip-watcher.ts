// Watches a literal address: it is there, and nothing ever changes. Source: grpc-go naming.
import { formatHostPort, type HostPort } from '../../base/ip-address.ts'
import { Closing, type NamingUpdate, type Watcher } from './watcher.ts'

/** See above. */
export class IpWatcher implements Watcher {
  private readonly closing = new Closing()
  private news: readonly NamingUpdate[]

  public constructor({ host, port }: HostPort) {
    this.news = [{ op: 'add', address: formatHostPort(host, port) }]
  }

  public next(): Promise<readonly NamingUpdate[]> {
    const { news, closing } = this
    if (news.length === 0 || closing.signal.aborted) return closing.closed
    this.news = []
    return Promise.resolve(news)
  }

  public close(): void {
    this.closing.close()
  }
}
