package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SecretPool logs in with what a secret says now, and follows it.
type SecretPool struct {
	secrets *secretmanager.Client
	version string
	pool    *pgxpool.Pool
	stop    context.CancelFunc

	refreshing sync.Mutex
	current    atomic.Pointer[login]
}

type login struct {
	// Of the version, by its number, whatever it was asked for by: tells one login from the next.
	name     string
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// OpenSecretPool reads a secret, and reads it again so often.
//
// The version is projects/acme-prod/secrets/billing-db/versions/current. Settings are parameters of a connection URL:
// "sslmode=require&pool_max_conns=20", or a host and port that count instead of the secret's.
func OpenSecretPool(
	ctx context.Context,
	secrets *secretmanager.Client,
	version string,
	every time.Duration,
	settings string,
) (*SecretPool, error) {
	p := &SecretPool{secrets: secrets, version: version}
	first, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	p.current.Store(first)
	address := url.URL{
		Scheme:   "postgres",
		Host:     net.JoinHostPort(first.Host, strconv.Itoa(first.Port)),
		Path:     first.Database,
		RawQuery: settings,
	}
	config, err := pgxpool.ParseConfig(address.String())
	if err != nil {
		return nil, err
	}
	config.BeforeConnect = func(_ context.Context, connection *pgx.ConnConfig) error {
		login := p.current.Load()
		connection.User, connection.Password = login.Username, login.Password
		return nil
	}
	if p.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, err
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	go p.follow(ctx, every)
	return p, nil
}

// Acquire gives a connection, to be released. While the login is refused it reads the secret anew, for some seconds.
func (p *SecretPool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	// No wait before the second attempt: most often the secret has a newer login.
	for wait := time.Duration(0); ; wait = 2*wait + 250*time.Millisecond {
		connection, err := p.pool.Acquire(ctx)
		if !refused(err) || wait > 4*time.Second {
			return connection, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := p.Refresh(ctx); err != nil {
			log.Print(err)
		}
	}
}

// Refresh reads the secret now. If that or the new login fails the pool goes on with the one that it has.
func (p *SecretPool) Refresh(ctx context.Context) error {
	p.refreshing.Lock()
	defer p.refreshing.Unlock()
	login, err := p.read(ctx)
	if err != nil || login.name == p.current.Load().name {
		return err
	}
	// What doesn't work doesn't replace what does.
	config := p.pool.Config().ConnConfig
	config.User, config.Password = login.Username, login.Password
	connection, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	connection.Close(ctx)
	p.current.Store(login)
	// Closes what is idle now, and what is in use when it comes back.
	p.pool.Reset()
	return nil
}

// Close waits until every connection was given back.
func (p *SecretPool) Close() {
	p.stop()
	p.pool.Close()
}

func (p *SecretPool) follow(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := p.Refresh(ctx); err != nil {
				log.Print(err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (p *SecretPool) read(ctx context.Context) (*login, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := p.secrets.AccessSecretVersion(ctx, &secretmanagerpb.AccessSecretVersionRequest{Name: p.version})
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret %s: %w", p.version, err)
	}
	read := &login{name: answer.Name}
	err = json.Unmarshal(answer.Payload.Data, read)
	if err != nil || read.Username == "" || read.Password == "" {
		// Without the cause, which may quote the value.
		return nil, fmt.Errorf("the secret %s is no database credential", p.version)
	}
	return read, nil
}

func refused(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && (answer.Code == "28P01" || answer.Code == "28000")
}

func main() {
	ctx := context.Background()
	secrets, err := secretmanager.NewClient(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer secrets.Close()
	version := "projects/acme-prod/secrets/billing-db/versions/current"
	pool, err := OpenSecretPool(ctx, secrets, version, 5*time.Minute, "sslmode=require&pool_max_conns=20")
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	connection, err := pool.Acquire(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Release()
	var user string
	if err := connection.QueryRow(ctx, "SELECT current_user").Scan(&user); err != nil {
		log.Fatal(err)
	}
	log.Print(user)
}
