export interface StatusDetail {
  readonly '@type': string
}
