import type { DocumentReference, DocumentSnapshot, Transaction } from '@google-cloud/firestore';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Change, Note } from '../../../shared/operation/outcome.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';

/** A tenant that is being made or taken back. */
export interface Saga {
  readonly operation: OperationContext;
  /** The document of the tenant. */
  readonly ref: DocumentReference;
  readonly record: TenantRecord;
}

export interface Made {
  readonly changes: readonly Change[];
  readonly notes?: readonly Note[];
  /** In a dry run: what would be executed. */
  readonly statements?: readonly string[];
  /** What the registry gets to know in the transaction that says that the step is done. */
  readonly settle?: {
    readonly refs: readonly DocumentReference[];
    readonly write: (transaction: Transaction, snapshots: readonly DocumentSnapshot[]) => void;
  };
}

/** One thing that a tenant has. Everything here can be done again after a crash at any point. */
export interface Step {
  readonly name: string;
  /** Its place among all, for people. */
  readonly position: number;
  /** Steps that come first. Those that don't need each other run together. */
  readonly needs: readonly string[];
  /** Done once in an operation, or in the life of a tenant, it is done: it isn't looked at again. */
  readonly once?: 'operation' | 'tenant';
  /** Whether the tenant has this at all. */
  readonly applies: (record: TenantRecord) => boolean;
  /** What there is before the step does anything: only what was absent may be taken back. */
  readonly look: (saga: Saga) => Promise<'absent' | 'present'>;
  /**
   * Makes it, or what is missing of it.
   *
   * @param begun there was nothing when this tenant's bootstrap came to this step for the first time
   */
  readonly make: (saga: Saga, begun: boolean) => Promise<Made>;
  /** What `make` would do, without doing it. */
  readonly plan: (saga: Saga, found: 'absent' | 'present') => Promise<Made>;
  /** Takes back what `make` made. */
  readonly undo: (saga: Saga) => Promise<readonly Change[]>;
}
