// Command audit checks a log over HTTP with code that is not this project's own: the checksum
// database's packages of the Go project (golang.org/x/mod/sumdb/note and tlog).
//
//	audit -log https://broker.example/v1/log -origin broker.example/log/1 -key broker.example/log/1+…
//
// It checks the checkpoint's signatures, reads every entry, finds each under the signed root by
// tiles that are themselves proved, recomputes the tree from the entries alone, proves single
// records and growth, and recomputes every root over the tags. It prints one line of JSON.
//
// The packages were written for the checksum database: their parser of trees refuses the notes of
// C2SP tlog-checkpoint, and their paths of tiles name a height. So the note's text is parsed and
// the paths are mapped here; everything that is cryptography is theirs, but the tree over the tags.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height       = 8
	width        = 1 << height
	entryLength  = 66
	maxNote      = 64 << 10
	maxTile      = width * (2 + 65535)
	typePerson   = 1
	typeTagRoot  = 2
	cosignature  = 4
	tagLeafLabel = "dw-tagleaf/v1\x00"
)

type found struct {
	Origin       string `json:"origin"`
	Size         int64  `json:"size"`
	Root         string `json:"root"`
	Entries      int64  `json:"entries"`
	Proofs       int    `json:"proofs"`
	TagRoots     int    `json:"tag_roots"`
	Cosignatures int    `json:"cosignatures"`
}

func main() {
	log := flag.String("log", "", "the log's prefix: what stands before /checkpoint")
	origin := flag.String("origin", "", "the name of the log")
	key := flag.String("key", "", "the log's verifier key")
	witness := flag.String("witness", "", "the verifier key of a witness that must vouch (optional)")
	flag.Parse()
	result, err := audit(&source{strings.TrimRight(*log, "/"), http.Client{Timeout: 10 * time.Second}},
		*origin, *key, *witness)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		os.Exit(1)
	}
}

func audit(log *source, origin, key, witness string) (*found, error) {
	tree, cosigned, err := openCheckpoint(log, origin, key, witness)
	if err != nil {
		return nil, err
	}
	entries, err := readEntries(log, tree)
	if err != nil {
		return nil, err
	}
	proofs, err := checkProofs(log, tree, entries)
	if err != nil {
		return nil, err
	}
	roots, err := checkTagRoots(entries)
	if err != nil {
		return nil, err
	}
	return &found{origin, tree.N, tree.Hash.String(), int64(len(entries)), proofs, roots, cosigned}, nil
}

// openCheckpoint returns the tree that the log's key signed, and how many witnesses vouch for it.
func openCheckpoint(log *source, origin, key, witness string) (tlog.Tree, int, error) {
	none := tlog.Tree{}
	data, err := log.read("checkpoint", maxNote)
	if err != nil {
		return none, 0, err
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return none, 0, err
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return none, 0, fmt.Errorf("checkpoint: %w", err)
	}
	cosigned := 0
	if witness != "" {
		cosigner, err := newCosigner(witness)
		if err != nil {
			return none, 0, err
		}
		if _, err := note.Open(data, note.VerifierList(cosigner)); err != nil {
			return none, 0, fmt.Errorf("cosignature: %w", err)
		}
		cosigned++
	}
	tree, err := parseCheckpoint(opened.Text, origin)
	return tree, cosigned, err
}

// parseCheckpoint reads the text of C2SP tlog-checkpoint, which tlog.ParseTree refuses.
func parseCheckpoint(text, origin string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return tlog.Tree{}, errors.New("checkpoint: not three lines")
	}
	if lines[0] != origin {
		return tlog.Tree{}, errors.New("checkpoint: another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("checkpoint: no size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("checkpoint: no root")
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// readEntries reads every entry, and recomputes the root from the entries alone.
func readEntries(log *source, tree tlog.Tree) ([][]byte, error) {
	var entries [][]byte
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for start := int64(0); start < tree.N; start += width {
		count := int(min(width, tree.N-start))
		data, err := log.readTile(tlog.Tile{H: height, L: -1, N: start / width, W: count})
		if err != nil {
			return nil, err
		}
		bundle, err := split(data, count)
		if err != nil {
			return nil, err
		}
		for _, entry := range bundle {
			hashes, err := tlog.StoredHashes(int64(len(entries)), entry, reader)
			if err != nil {
				return nil, err
			}
			stored = append(stored, hashes...)
			entries = append(entries, entry)
		}
	}
	if tree.N == 0 {
		return nil, nil
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return nil, err
	}
	if root != tree.Hash {
		return nil, errors.New("the entries do not lead to the signed root")
	}
	return entries, nil
}

// checkProofs finds every entry by tiles proved under the root, and proves some as records.
func checkProofs(log *source, tree tlog.Tree, entries [][]byte) (int, error) {
	if tree.N == 0 {
		return 0, nil
	}
	hashes := tlog.TileHashReader(tree, log)
	indexes := make([]int64, len(entries))
	for i := range entries {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	leaves, err := hashes.ReadHashes(indexes)
	if err != nil {
		return 0, fmt.Errorf("tiles: %w", err)
	}
	for i, entry := range entries {
		if leaves[i] != tlog.RecordHash(entry) {
			return 0, fmt.Errorf("entry %d is not the one in the tiles", i)
		}
	}
	proofs := 0
	for step, index := int64(1), int64(0); index < tree.N; step, index = step*2, index+step {
		record, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckRecord(record, tree.N, tree.Hash, index, leaves[index]); err != nil {
			return 0, fmt.Errorf("record %d: %w", index, err)
		}
		size := index + 1
		before, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return 0, err
		}
		growth, err := tlog.ProveTree(tree.N, size, hashes)
		if err != nil {
			return 0, err
		}
		if err := tlog.CheckTree(growth, tree.N, tree.Hash, size, before); err != nil {
			return 0, fmt.Errorf("growth from %d: %w", size, err)
		}
		proofs += 2
	}
	return proofs, nil
}

// checkTagRoots recomputes every root over the tags (docs/decisions/0014).
func checkTagRoots(entries [][]byte) (int, error) {
	type leaf struct {
		tag   [32]byte
		index int
	}
	var leaves []leaf
	roots := 0
	for index, entry := range entries {
		if len(entry) != entryLength || entry[0] != 1 {
			return 0, fmt.Errorf("entry %d is not an entry", index)
		}
		switch entry[1] {
		case typePerson:
			leaves = append(leaves, leaf{[32]byte(entry[2:34]), index})
		case typeTagRoot:
			size := int(binary.BigEndian.Uint64(entry[2:10]))
			var below []leaf
			for _, one := range leaves {
				if one.index < size {
					below = append(below, one)
				}
			}
			sort.Slice(below, func(i, j int) bool {
				return string(below[i].tag[:]) < string(below[j].tag[:])
			})
			var derive func(some []leaf, depth int) [32]byte
			derive = func(some []leaf, depth int) [32]byte {
				if len(some) == 0 {
					return [32]byte{}
				}
				if len(some) == 1 {
					data := append([]byte("\x00"+tagLeafLabel), some[0].tag[:]...)
					return sha256.Sum256(binary.BigEndian.AppendUint64(data, uint64(some[0].index)))
				}
				split := sort.Search(len(some), func(i int) bool {
					return some[i].tag[depth/8]>>(7-depth%8)&1 == 1
				})
				left, right := derive(some[:split], depth+1), derive(some[split:], depth+1)
				return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
			}
			for i := 1; i < len(below); i++ {
				if below[i].tag == below[i-1].tag {
					return 0, fmt.Errorf("the tag of entry %d occurs twice", below[i].index)
				}
			}
			if size > index || derive(below, 0) != [32]byte(entry[34:]) {
				return 0, fmt.Errorf("entry %d states a wrong root over the tags", index)
			}
			roots++
		}
	}
	return roots, nil
}

// split returns the entries of a bundle: a length of two bytes before each.
func split(data []byte, count int) ([][]byte, error) {
	entries := make([][]byte, 0, count)
	for range count {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, errors.New("a bundle is too short")
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if len(data) != 0 {
		return nil, errors.New("a bundle is too long")
	}
	return entries, nil
}

// source is the log over HTTP; it is a tlog.TileReader.
type source struct {
	prefix string
	client http.Client
}

func (s *source) Height() int { return height }

func (s *source) SaveTiles([]tlog.Tile, [][]byte) {}

func (s *source) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := s.readTile(tile)
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

// readTile maps the path: C2SP leaves out the height, and says entries for data.
func (s *source) readTile(tile tlog.Tile) ([]byte, error) {
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
	return s.read(strings.Replace(path, "tile/data/", "tile/entries/", 1), maxTile)
}

func (s *source) read(path string, most int64) ([]byte, error) {
	response, err := s.client.Get(s.prefix + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s: too long", path)
	}
	return data, err
}

// cosigner verifies C2SP tlog-cosignature of type 4, which the note package leaves to others.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a verifier key")
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != cosignature {
		return nil, errors.New("not the verifier key of a witness")
	}
	return &cosigner{parts[0], uint32(hash), key[1:]}, nil
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(message, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	moment := binary.BigEndian.Uint64(signature)
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", moment, message)
	return ed25519.Verify(c.key, []byte(signed), signature[8:])
}
