package zoo

import (
	"image"
	"slices"
	"strings"
	"testing"
)

// Image shows what RenderAugmented makes the input of.
func TestImage(t *testing.T) {
	src := image.NewGray(image.Rect(0, 0, 20, 16))
	for i := range src.Pix {
		src.Pix[i] = uint8(i)
	}
	r, _ := RecipeByName("unit")
	r = r.WithSize(8, 12)
	a, err := ParseAugment("standard,hflip=1")
	if err != nil {
		t.Fatal(err)
	}
	p := PictureOf(src)
	img, notes, err := r.Image(p, a, 5)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(notes, "hflip") || img.Rect != image.Rect(0, 0, 12, 8) {
		t.Errorf("notes %q, size %v", notes, img.Rect)
	}
	want, got := make([]float32, 3*8*12), make([]float32, 3*8*12)
	if err := r.RenderAugmented(p, want, a, 5); err != nil {
		t.Fatal(err)
	}
	none := r
	none.Resize, none.ResizeTo = "none", nil
	if err := none.FromImage(img, got); err != nil || !slices.Equal(got, want) {
		t.Errorf("the image is not what the network gets (%v)", err)
	}
	if _, _, err := (Recipe{}).Image(p, a, 5); err == nil {
		t.Error("an empty recipe is used")
	}
	if _, _, err := r.Image(PictureOf(image.NewGray(image.Rect(0, 0, 0, 0))), a, 5); err == nil {
		t.Error("an empty picture is shown")
	}
	if !strings.Contains(AugmentHelp(), "randaugment=N") {
		t.Error("help without RandAugment")
	}
}
