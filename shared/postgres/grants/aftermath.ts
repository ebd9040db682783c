/** One grant of a role to a member: from PostgreSQL 16 on there may be several, by different grantors. */
export interface Held {
  readonly grantor: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
}

/** By role, then by member. */
export type HeldGrants = ReadonlyMap<string, ReadonlyMap<string, readonly Held[]>>;

export interface Revocation {
  readonly role: string;
  readonly grantor: string;
  /** What a member loses: the role, or the right to pass it on. */
  readonly what: '' | 'ADMIN OPTION FOR ';
}

/**
 * What revocations leave of the memberships. From 16 on what somebody granted goes when he may no longer grant it, by no
 * grant at all; before that it stays.
 */
export class Aftermath {
  readonly #held: HeldGrants;
  readonly #options: boolean;
  readonly #changed = new Map<string, Map<string, Held[]>>();
  /** Who lost all of a role together with somebody else. */
  readonly lost: { readonly name: string; readonly member: string }[] = [];

  constructor(held: HeldGrants, options: boolean) {
    this.#held = held;
    this.#options = options;
  }

  of(name: string, member: string): readonly Held[] {
    return (this.#changed.get(name) ?? this.#held.get(name))?.get(member) ?? [];
  }

  /** @returns what goes with it */
  revoke({ role, grantor, what }: Revocation, member: string): { grantor: string; member: string }[] {
    const left = this.#left(role);
    const keep = (one: Held) => (what === '' ? [] : [{ ...one, admin: false }]);
    const held = left.get(member) ?? [];
    left.set(
      member,
      held.flatMap((one) => (one.grantor === grantor || !this.#options ? keep(one) : [one])),
    );
    return this.#options && held.some((one) => one.admin) ? this.#cascade(role, left, member) : [];
  }

  #cascade(role: string, left: Map<string, Held[]>, grantor: string): { grantor: string; member: string }[] {
    if (left.get(grantor)?.some(({ admin }) => admin)) return [];
    return [...left.keys()].flatMap((member) => {
      const held = left.get(member) ?? [];
      const gone = held.filter((one) => one.grantor === grantor);
      if (gone.length === 0) return [];
      const rest = held.filter((one) => one.grantor !== grantor);
      left.set(member, rest);
      if (rest.length === 0) this.lost.push({ name: role, member });
      // PostgreSQL goes on only where the right to pass it on goes: who lost that before may have left grants behind.
      const isGrantor = gone.some(({ admin }) => admin);
      return [{ grantor, member }, ...(isGrantor ? this.#cascade(role, left, member) : [])];
    });
  }

  #left(role: string): Map<string, Held[]> {
    const known = this.#changed.get(role);
    if (known) return known;
    const left = new Map([...(this.#held.get(role) ?? [])].map(([member, held]) => [member, [...held]]));
    this.#changed.set(role, left);
    return left;
  }
}
