// Ends retries and hedging while too many calls of a channel fail: a bucket of tokens that failures
// empty and successes fill. Source: gRFC A6 "Throttling Retry Attempts and Hedged RPCs".
import type { RetryThrottling } from '../channel/service-config.ts'

/** One for as long as its config is in force. */
export class RetryThrottle {
  private readonly maxTokens: number
  private readonly tokenRatio: number
  private tokens: number

  public constructor({ maxTokens, tokenRatio }: RetryThrottling) {
    this.maxTokens = maxTokens
    this.tokenRatio = tokenRatio
    this.tokens = maxTokens
  }

  /** Whether nothing is tried again at present. */
  public get isExhausted(): boolean {
    return this.tokens <= this.maxTokens / 2
  }

  /** An attempt failed in a way that may be retried, or the server forbade it. */
  public failed(): void {
    this.tokens = Math.max(0, this.tokens - 1)
  }

  /** A call went well. */
  public succeeded(): void {
    this.tokens = Math.min(this.maxTokens, this.tokens + this.tokenRatio)
  }
}
