package zoo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/atomicfile"
)

// download fetches a file in as many attempts as it takes. What arrives is kept in PATH.part, with PATH.part.json beside
// it that says of which version of the file it is, so that a later attempt, also of another process, goes on from there.
type download struct {
	client   *http.Client
	url      string
	path     string // where the whole file goes
	limit    int64  // bytes that it may have
	progress func(done, total int64)
	notify   func(string)
	pause    func(ctx context.Context, d time.Duration) error // between attempts
	stall    time.Duration                                    // how long nothing may arrive
}

// version is what PATH.part.json holds.
type version struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // a strong ETag, or a date of change
	Total     int64  `json:"total"`     // size of the whole file, -1 where the server did not say
}

// attempts is how often a download is tried again without anything having arrived.
const attempts = 5

// permanent marks an error that another attempt would meet again.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// PartialError says that a part of a file has arrived before the download ended. The next one goes on from there.
type PartialError struct {
	File  string // that has the part
	Bytes int64
	Err   error // why it ended
}

func (e *PartialError) Error() string { return e.Err.Error() }

// Unwrap returns why the download ended.
func (e *PartialError) Unwrap() error { return e.Err }

// run fetches the file. After an error, what has arrived stays for the next time if it can be gone on with.
func (d *download) run(ctx context.Context) error {
	err := d.persist(ctx)
	if err == nil {
		return nil
	}
	part := d.path + ".part"
	v, noted := readVersion(part)
	if info, e := os.Stat(part); e == nil && info.Size() > 0 && noted == nil && v.Validator != "" {
		return &PartialError{part, info.Size(), err}
	}
	// Nothing has arrived, or nothing that can be gone on with.
	_ = os.Remove(part)
	_ = os.Remove(part + ".json")
	return err
}

// readVersion reads what lies beside a part.
func readVersion(part string) (v version, err error) {
	text, err := os.ReadFile(part + ".json")
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	return v, err
}

// persist makes attempts until one succeeds, or too many have brought nothing.
func (d *download) persist(ctx context.Context) error {
	wait := time.Second
	for failed := 0; ; {
		got, err := d.attempt(ctx)
		if err == nil {
			return nil
		}
		var p permanent
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.As(err, &p) {
			return err
		}
		if got > 0 {
			failed, wait = 0, time.Second
		}
		if failed++; failed >= attempts {
			return err
		}
		var after retryAfter
		pause := wait
		if errors.As(err, &after) {
			pause = min(max(after.d, wait), time.Minute)
		}
		d.notify(fmt.Sprintf("%v; trying again in %v", err, pause))
		if err := d.pause(ctx, pause); err != nil {
			return err
		}
		wait *= 2
	}
}

// retryAfter is an error with the time after which the server wants to be asked again.
type retryAfter struct {
	error
	d time.Duration
}

// attempt makes one request, and returns how many bytes it brought.
func (d *download) attempt(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	part, err := os.OpenFile(d.path+".part", os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return 0, permanent{err}
	}
	defer part.Close()
	have, known, err := d.resumable(part)
	if err != nil {
		return 0, permanent{err}
	}
	if known.Total >= 0 && have == known.Total && have > 0 {
		return 0, d.finish(part)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url, nil)
	if err != nil {
		return 0, permanent{err}
	}
	req.Header.Set("User-Agent", "onnxcnn")
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		req.Header.Set("If-Range", known.Validator)
	}
	watch := time.AfterFunc(d.stall, func() { cancel(fmt.Errorf("nothing arrived for %v", d.stall)) })
	defer watch.Stop()
	res, err := d.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			err = permanent{err} // no network, or a proxy is needed
		}
		return 0, err
	}
	defer res.Body.Close()
	have, total, err := d.begin(res, part, have, known)
	if err != nil {
		return 0, err
	}
	if total > d.limit {
		return 0, permanent{fmt.Errorf("%s: the server offers %d bytes, and the file has at most %d", d.url, total, d.limit)}
	}
	if _, err := part.Seek(have, io.SeekStart); err != nil {
		return 0, permanent{err}
	}
	got, err := d.copy(part, res.Body, have, total, func() { watch.Reset(d.stall) })
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return got, err
	}
	if total >= 0 && have+got != total {
		return got, fmt.Errorf("%s: the connection ended after %d of %d bytes", d.url, have+got, total)
	}
	return got, d.finish(part)
}

// resumable returns how much of the file is there, and of which version. What cannot be gone on with is thrown away.
func (d *download) resumable(part *os.File) (int64, version, error) {
	info, err := part.Stat()
	if err != nil {
		return 0, version{}, err
	}
	v, err := readVersion(part.Name())
	if err != nil || v.URL != d.url || v.Validator == "" || v.Total >= 0 && info.Size() > v.Total {
		return 0, version{Total: -1}, part.Truncate(0)
	}
	return info.Size(), v, nil
}

// begin looks at an answer: from which byte on it is, and how large the whole file is (-1 where that is not said).
func (d *download) begin(res *http.Response, part *os.File, have int64, known version) (from, total int64, err error) {
	switch {
	case res.StatusCode == http.StatusPartialContent && have > 0:
		from, total, ok := contentRange(res.Header.Get("Content-Range"))
		if !ok || from != have || known.Total >= 0 && total >= 0 && total != known.Total {
			return 0, 0, d.restart(part, fmt.Errorf("%s: the server goes on with %q instead of byte %d", d.url, res.Header.Get("Content-Range"), have))
		}
		return have, total, nil
	case res.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0:
		return 0, 0, d.restart(part, fmt.Errorf("%s: the server does not have byte %d: the file has changed", d.url, have))
	case res.StatusCode != http.StatusOK:
		err := fmt.Errorf("%s: the server answers %s", d.url, res.Status)
		if res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500 {
			if s, e := strconv.Atoi(res.Header.Get("Retry-After")); e == nil && s >= 0 && s < 1<<20 {
				return 0, 0, retryAfter{err, time.Duration(s) * time.Second}
			}
			return 0, 0, err
		}
		return 0, 0, permanent{err}
	}
	// The file from its beginning: another version, or a server that knows no ranges.
	if err := part.Truncate(0); err != nil {
		return 0, 0, permanent{err}
	}
	v := version{URL: d.url, Validator: res.Header.Get("ETag"), Total: res.ContentLength}
	if v.Validator == "" || strings.HasPrefix(v.Validator, "W/") {
		v.Validator = res.Header.Get("Last-Modified")
	}
	err = atomicfile.Write(part.Name()+".json", func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
	if err != nil {
		return 0, 0, permanent{err}
	}
	return 0, res.ContentLength, nil
}

// restart throws away what is there and returns why.
func (d *download) restart(part *os.File, why error) error {
	if err := part.Truncate(0); err != nil {
		return permanent{err}
	}
	return why
}

// contentRange reads "bytes 100-199/1000", where the total may be "*".
func contentRange(s string) (from, total int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, size, ok := strings.Cut(rest, "/")
	if !ok {
		return 0, 0, false
	}
	first, _, ok := strings.Cut(span, "-")
	if !ok {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(first, 10, 64)
	if err != nil || from < 0 {
		return 0, 0, false
	}
	if size == "*" {
		return from, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return from, total, err == nil && total >= from
}

// copy writes what arrives behind what is there.
func (d *download) copy(part *os.File, body io.Reader, have, total int64, arrived func()) (got int64, err error) {
	buf := make([]byte, 1<<16)
	for {
		d.progress(have+got, total)
		n, err := body.Read(buf)
		if n > 0 {
			arrived()
			if have+got+int64(n) > d.limit {
				return got, permanent{errors.Join(fmt.Errorf("%s: more arrives than the %d bytes that the file has at most", d.url, d.limit), part.Truncate(0))}
			}
			if _, err := part.Write(buf[:n]); err != nil {
				return got, permanent{err}
			}
			got += int64(n)
		}
		if err == io.EOF {
			d.progress(have+got, total)
			return got, nil
		}
		if err != nil {
			return got, fmt.Errorf("%s: %w", d.url, err)
		}
	}
}

// finish gives the whole file its name.
func (d *download) finish(part *os.File) error {
	if err := part.Sync(); err != nil {
		return permanent{err}
	}
	if err := part.Close(); err != nil {
		return permanent{err}
	}
	if err := os.Rename(part.Name(), d.path); err != nil {
		return permanent{err}
	}
	os.Remove(part.Name() + ".json")
	return nil
}

// unreachable reports whether an error means that there is no way to the server.
func unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) && op.Op != "read" || errors.As(err, &dns)
}
