/** Who acts. @module */

/** On whose behalf something is asked, and who asks. */
export interface Caller {
  tenant: string;
  /** A claim of the client, not a proof, until there is authentication. */
  actor: string;
}
