// hpackpeer encodes and decodes header blocks with golang.org/x/net/http2/hpack. It answers each line
// of its input with one line:
//
//	new              a new connection                     -> ok
//	size N           SETTINGS_HEADER_TABLE_SIZE is N      -> ok
//	encode FIELD...  a header list                        -> the block in hex
//	decode HEX       a block                              -> FIELD...
//
// A FIELD is name:value in hex, after a ! when it must never be indexed. What fails is answered with
// "error" and why.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

const defaultTableBytes = 4096

// codec is both directions of one connection.
type codec struct {
	block   bytes.Buffer
	encoder *hpack.Encoder
	decoder *hpack.Decoder
}

func newCodec() *codec {
	c := &codec{decoder: hpack.NewDecoder(defaultTableBytes, nil)}
	c.encoder = hpack.NewEncoder(&c.block)
	return c
}

func (c *codec) size(argument string) (string, error) {
	bytes, err := strconv.ParseUint(argument, 10, 32)
	if err != nil {
		return "", err
	}
	c.encoder.SetMaxDynamicTableSizeLimit(uint32(bytes))
	c.encoder.SetMaxDynamicTableSize(uint32(bytes))
	c.decoder.SetAllowedMaxDynamicTableSize(uint32(bytes))
	return "ok", nil
}

func (c *codec) encode(arguments string) (string, error) {
	c.block.Reset()
	for _, word := range strings.Fields(arguments) {
		text, sensitive := strings.CutPrefix(word, "!")
		name, value, _ := strings.Cut(text, ":")
		nameBytes, err := hex.DecodeString(name)
		if err != nil {
			return "", err
		}
		valueBytes, err := hex.DecodeString(value)
		if err != nil {
			return "", err
		}
		field := hpack.HeaderField{Name: string(nameBytes), Value: string(valueBytes), Sensitive: sensitive}
		if err := c.encoder.WriteField(field); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(c.block.Bytes()), nil
}

func (c *codec) decode(argument string) (string, error) {
	block, err := hex.DecodeString(argument)
	if err != nil {
		return "", err
	}
	fields, err := c.decoder.DecodeFull(block)
	if err != nil {
		return "", err
	}
	words := make([]string, len(fields))
	for i, field := range fields {
		words[i] = fmt.Sprintf("%x:%x", field.Name, field.Value)
		if field.Sensitive {
			words[i] = "!" + words[i]
		}
	}
	return strings.Join(words, " "), nil
}

func answer(c **codec, line string) (string, error) {
	verb, arguments, _ := strings.Cut(line, " ")
	switch verb {
	case "new":
		*c = newCodec()
		return "ok", nil
	case "size":
		return (*c).size(arguments)
	case "encode":
		return (*c).encode(arguments)
	case "decode":
		return (*c).decode(arguments)
	}
	return "", fmt.Errorf("unknown: %q", verb)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	c := newCodec()
	for lines.Scan() {
		result, err := answer(&c, lines.Text())
		if err != nil {
			result = "error " + err.Error()
		}
		fmt.Fprintln(out, result)
	}
	out.Flush()
}
