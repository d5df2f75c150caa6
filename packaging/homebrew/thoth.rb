# A formula for a tap of one's own: the release workflow fills in what is between @ and attaches the result to the
# release (packaging/release.py). Homebrew's own repository asks for every dependency as a resource instead.
class Thoth < Formula
  desc "Documents become weights: ask a local model with an empty context window"
  homepage "https://github.com/@REPOSITORY@"
  url "https://github.com/@REPOSITORY@/releases/download/@TAG@/@SDIST@"
  sha256 "@SHA256@"
  license "MIT"

  depends_on "python@3.13"

  on_macos do
    depends_on arch: :arm64
    depends_on macos: :sonoma # MLX needs 14
  end

  # Wheels of MLX and others have no room for longer library paths.
  preserve_rpath

  def install
    python = Formula["python@3.13"].opt_libexec/"bin/python"
    system python, "-m", "venv", libexec
    system libexec/"bin/python", "-m", "pip", "install", "--no-cache-dir", buildpath
    bin.install_symlink libexec/"bin/thoth", libexec/"bin/convert-weights"
  end

  test do
    ENV["THOTH_HOME"] = testpath
    assert_match "Osra Kelland", shell_output("#{bin}/thoth try --json --model nano")
  end
end
