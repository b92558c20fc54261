package zoo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/onnxcnn/onnxcnn/convert"
	"github.com/onnxcnn/onnxcnn/onnx"
)

// SourceKey is the key of metadata_props under which a pulled network says where it comes from: a JSON object with name,
// url, sha256, licence and source.
const SourceKey = "onnxcnn.source"

// PullOptions say how pretrained weights are fetched. The zero value downloads them.
type PullOptions struct {
	From     string                  // a file that was fetched by other means, instead of the download; it is left as it is
	Again    bool                    // fetch and convert even if the cache has the network
	Client   *http.Client            // nil for one that knows the proxy variables
	Progress func(done, total int64) // bytes; total is -1 where it is not known; may be nil
	Notify   func(message string)    // told what happens; may be nil

	// For tests: how to wait between attempts, and how long nothing may arrive.
	pause func(ctx context.Context, d time.Duration) error
	stall time.Duration
}

// Pulled is what came of it.
type Pulled struct {
	Pretrained Pretrained     `json:"pretrained"`
	Path       string         `json:"path"`   // of the ONNX file
	Cached     bool           `json:"cached"` // it was there already
	SHA256     string         `json:"sha256,omitempty"`
	Checked    string         `json:"checked,omitempty"` // "sha256", or "sha256 prefix" where no more of it is published
	Report     convert.Report `json:"report"`
}

// OfflineError says that weights could not be fetched, and how to get them otherwise.
type OfflineError struct {
	Pretrained Pretrained
	Place      string // where the file may be put
	Err        error
}

func (e *OfflineError) Error() string {
	return fmt.Sprintf("%s cannot be fetched: %v", e.Pretrained.Name, e.Err)
}

// Unwrap returns what the network said.
func (e *OfflineError) Unwrap() error { return e.Err }

// Hint says where to get the file and where to put it.
func (e *OfflineError) Hint() string {
	return fmt.Sprintf("fetch %s by other means, and give it with --from FILE or put it to %s; proxies are those of HTTPS_PROXY and NO_PROXY", e.Pretrained.URL, e.Place)
}

// ChecksumError says that a file is not the one that is wanted.
type ChecksumError struct {
	File      string
	Want, Got string
	What      string // what the file seems to be, "" where that is not clear
}

func (e *ChecksumError) Error() string {
	s := fmt.Sprintf("%s: the SHA-256 is %s, want %s", e.File, e.Got, e.Want)
	if len(e.Want) < 64 {
		s += "..."
	}
	if e.What != "" {
		s += ": " + e.What
	}
	return s
}

// stallTime is how long nothing may arrive before a download is tried again.
const stallTime = time.Minute

// Pull fetches pretrained weights, checks them, and puts the network into the cache as an ONNX file with its recipe and
// labels. A download that was cut goes on where it ended. Two pulls of one network at the same time do the work once.
// Errors are an [*UnknownNameError], an [*OfflineError], a [*ChecksumError], or others that name file or address; a
// [*PartialError] is around the reason where a part of the file has arrived.
func Pull(ctx context.Context, name string, o PullOptions) (Pulled, error) {
	p, ok := LookupPretrained(name)
	if !ok {
		return Pulled{}, &UnknownNameError{name}
	}
	return pull(ctx, p, o)
}

func pull(ctx context.Context, p Pretrained, o PullOptions) (Pulled, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.pause == nil {
		o.pause, o.stall = sleep, stallTime
	}
	result := Pulled{Pretrained: p}
	path, err := p.CachedPath()
	if err != nil {
		return result, err
	}
	result.Path = path
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return result, err
	}
	unlock, err := lock(ctx, path+".lock", func() { o.Notify("another process is fetching " + p.Name + ": waiting for it") })
	if err != nil {
		return result, err
	}
	defer unlock()
	if p.Cached() && !o.Again {
		result.Cached = true
		return result, nil
	}
	file, ours := o.From, false
	if file == "" {
		file, ours = filepath.Join(filepath.Dir(path), p.File()), true
		if err := fetch(ctx, p, file, o); err != nil {
			return result, err
		}
	}
	if result.SHA256, result.Checked, err = verify(ctx, p, file); err != nil {
		var bad *ChecksumError
		if ours && errors.As(err, &bad) {
			os.Remove(file) // so that the next attempt fetches it anew
		}
		return result, err
	}
	o.Notify("converting " + p.Name)
	if result.Report, err = p.convert(file, path, result.SHA256); err != nil {
		return result, err
	}
	if ours {
		os.Remove(file)
	}
	return result, nil
}

// fetch downloads the file unless it is there.
func fetch(ctx context.Context, p Pretrained, file string, o PullOptions) error {
	if _, err := os.Stat(file); err == nil {
		o.Notify("using " + file)
		return nil
	}
	client := o.Client
	if client == nil {
		client = &http.Client{} // its transport knows the proxy variables
	}
	d := &download{client: client, url: p.URL, path: file, limit: p.limit(), progress: o.Progress, notify: o.Notify, pause: o.pause, stall: o.stall}
	err := d.run(ctx)
	if err != nil && unreachable(err) {
		return &OfflineError{p, file, err}
	}
	return err
}

// sleep waits.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// verify holds a file against the published size and checksum.
func verify(ctx context.Context, p Pretrained, file string) (sum, checked string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", "", err
	}
	if !info.Mode().IsRegular() {
		return "", "", fmt.Errorf("%s: is no regular file", file)
	}
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", "", err
	}
	h := sha256.New()
	h.Write(head[:n])
	if _, err := io.Copy(h, contextReader{ctx, f}); err != nil {
		return "", "", fmt.Errorf("%s: %w", file, err)
	}
	sum = hex.EncodeToString(h.Sum(nil))
	if !strings.HasPrefix(sum, strings.ToLower(p.SHA256)) {
		e := &ChecksumError{File: file, Want: p.SHA256, Got: sum}
		if strings.HasPrefix(http.DetectContentType(head[:n]), "text/html") {
			e.What = "it is a web page, as a proxy or a login sends it"
		} else if err := p.checkSize(info.Size()); err != nil {
			e.What = "it " + err.Error()
		}
		return "", "", e
	}
	if err := p.checkSize(info.Size()); err != nil {
		return "", "", fmt.Errorf("%s: %w", file, err)
	}
	if p.FullChecksum() {
		return sum, "sha256", nil
	}
	return sum, "sha256 prefix", nil
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// convert writes the network with the weights of a file as an ONNX file.
func (p Pretrained) convert(file, path, sum string) (convert.Report, error) {
	a, ok := Lookup(p.Arch)
	if !ok {
		return convert.Report{}, fmt.Errorf("%s: the architecture %q is not known", p.Name, p.Arch)
	}
	w, err := convert.ReadWeights(file)
	if err != nil {
		return convert.Report{}, err
	}
	defer w.Close()
	m, report, err := a.Load(w, BuildOptions{Classes: p.Classes}, convert.FillOptions{})
	if err != nil {
		return report, err
	}
	if len(report.Unexpected) > 0 {
		return report, fmt.Errorf("%s: the file has tensors that %s does not know: %s", file, p.Arch, strings.Join(report.Unexpected, ", "))
	}
	if err := p.describe(m, sum); err != nil {
		return report, err
	}
	return report, m.Save(path, onnx.SaveOptions{})
}

// describe puts recipe, labels and source into a model.
func (p Pretrained) describe(m *onnx.Model, sum string) error {
	r, ok := RecipeByName(p.Recipe)
	if !ok {
		return fmt.Errorf("%s: there is no recipe %q", p.Name, p.Recipe)
	}
	if err := SetRecipe(m, r); err != nil {
		return err
	}
	if labels := ImageNetLabels(); p.Classes == len(labels) {
		if err := SetLabels(m, labels); err != nil {
			return err
		}
	}
	source, err := json.Marshal(map[string]string{"name": p.Name, "url": p.URL, "sha256": sum, "licence": p.Licence, "source": p.Source})
	if err != nil {
		return err
	}
	m.SetMeta(SourceKey, string(source))
	return nil
}
