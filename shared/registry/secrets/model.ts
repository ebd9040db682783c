import type { RotationPolicy, SecretKind, Strategy } from '../../secrets/managed.ts';

/** What became of a secret, for people. Never a value. */
export interface SecretEvent {
  readonly at: Date;
  readonly action: 'create' | 'adopt' | 'rotate' | 'retire' | 'verify';
  readonly operation: string;
  /** Of an operation that failed. */
  readonly code?: string;
  /** The version that became the current one. */
  readonly version?: number;
  readonly actor?: string;
  readonly detail?: string;
}

/** A rotation under way. */
export interface OpenRotation {
  readonly operation: string;
  readonly since: Date;
}

/**
 * The document of a secret: `secrets/{hash}`. Secret Manager says what is so; this says what is to be done when, what is
 * under way and what came of it.
 */
export interface SecretRecord {
  readonly secret: string;
  readonly kind: SecretKind;
  readonly strategy: Strategy | null;
  /** Null for a secret that has nothing to do with a database. */
  readonly instance: string | null;
  readonly database: string | null;
  readonly schema: string | null;
  readonly role: string | null;
  readonly logins: readonly string[];
  readonly graceMinutes: number;
  readonly policy: RotationPolicy | null;
  /** The number of the last attempt to change it: the mark on its logins. */
  readonly epoch: number;
  readonly open: OpenRotation | null;
  readonly current: number | null;
  readonly previous: number | null;
  readonly rotatedAt: Date | null;
  /** When what the last rotation replaced was put out of use; null until then. */
  readonly retiredAt: Date | null;
  /** When it is due; for the query. */
  readonly nextRotation: Date | null;
  /** When something that was replaced may be retired; for the query. */
  readonly nextRetirement: Date | null;
  /** Rotations that failed since the last one that didn't. */
  readonly failures: number;
  readonly last: SecretEvent | null;
  /** The newest first. */
  readonly history: readonly SecretEvent[];
}

export const secretsCollection = 'secrets';

export const mostHistory = 50;
