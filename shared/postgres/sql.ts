import pg from 'pg';

/** SQL text. Made by {@link sql} only, so that a bare string can't be executed where a statement is expected. */
export class Sql {
  readonly text: string;

  private constructor(text: string) {
    this.text = text;
  }

  static of(text: string): Sql {
    return new Sql(text);
  }
}

/**
 * SQL with values in it. PostgreSQL takes no parameters in DDL, so values are quoted here, in this one place:
 * strings become literals, {@link identifier}s identifiers, lists of either are joined by commas.
 */
export function sql(strings: TemplateStringsArray, ...values: readonly SqlValue[]): Sql {
  return Sql.of(strings.map((part, index) => (index === 0 ? '' : format(values[index - 1])) + part).join(''));
}

type SqlValue = string | number | boolean | null | undefined | Sql | readonly (string | Sql)[];

function format(value: SqlValue): string {
  if (value instanceof Sql) return value.text;
  if (typeof value === 'string') return pg.escapeLiteral(withoutNul(value));
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'object') return value.map(format).join(', ');
  return String(value);
}

/** A name, quoted. */
export function identifier(name: string): Sql {
  return Sql.of(pg.escapeIdentifier(withoutNul(name)));
}

/** A NUL would end the statement where it stands. */
function withoutNul(text: string): string {
  if (text.includes('\0')) throw new Error('PostgreSQL has no text with NUL in it');
  return text;
}

/** A qualified name, quoted. */
export function qualified(schema: string, name: string): Sql {
  return sql`${identifier(schema)}.${identifier(name)}`;
}

/** Key words chosen by the program, such as a privilege. Never anything that came from outside. */
export function keyword(text: string): Sql {
  if (!/^[A-Z]+(?: [A-Z]+)*$/.test(text)) throw new Error(`not a key word: ${text}`);
  return Sql.of(text);
}

/** Statements for somebody who may act as this role, as text. */
export function actingAs(role: string, statements: readonly Sql[]): string[] {
  return [sql`SET ROLE ${identifier(role)}`, ...statements, sql`RESET ROLE`].map(({ text }) => text);
}
