package main

// The story that each client is driven through.

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"strconv"
	"sync"
	"time"
)

func callAtOnce(k *Keyfob, atOnce int) {
	var group sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			res, err := k.Do(context.Background(), "GET", "/me", nil)
			if err != nil {
				log.Fatal(err)
			}
			defer res.Body.Close()
			var me struct{ Email string }
			if err := json.NewDecoder(res.Body).Decode(&me); err != nil || me.Email != os.Getenv("EMAIL") {
				log.Fatal(res.Status, err, me)
			}
		}()
	}
	group.Wait()
}

func main() {
	ctx := context.Background()
	atOnce, err := strconv.Atoi(os.Getenv("AT_ONCE"))
	if err != nil {
		log.Fatal(err)
	}
	wait, err := time.ParseDuration(os.Getenv("WAIT_SECONDS") + "s")
	if err != nil {
		log.Fatal(err)
	}
	keyfob := &Keyfob{URL: os.Getenv("BASE_URL")}
	if err := keyfob.Login(ctx, os.Getenv("EMAIL"), os.Getenv("PASSWORD")); err != nil {
		log.Fatal(err)
	}
	callAtOnce(keyfob, atOnce)
	time.Sleep(wait)
	callAtOnce(keyfob, atOnce)
	if err := keyfob.Logout(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := keyfob.Do(ctx, "GET", "/me", nil); !errors.Is(err, ErrSignedOut) {
		log.Fatal("a call after the log-out gives ", err)
	}
}
